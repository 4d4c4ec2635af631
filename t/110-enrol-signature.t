# Copyright (C) ngx_http_cmp_module contributors
#
# Signed requests: by a manufacturer's certificate, by an own one, by others;
# key update.

use lib 't/lib';
use CMPTest;

credential(reference => 'device1', secret => 'insecure');

sub enrol {
    my ($name, $kind, @more) = @_;
    my $key = newkey($kind // 'P-256');

    my ($status, $out) = client('ir', '-ref', 'device1', '-secret',
        'pass:insecure', '-subject', "/CN=$name", '-newkey', $key,
        '-certout', tmp("$name.pem"), '-implicit_confirm', @more);

    is($status, 0, "$name is enrolled") or diag($out);

    return (tmp("$name.pem"), $key);
}

our $vendor = sub {
    my ($parameters, @more) = @_;

    return default_http_config(trusted => 'trusted_certificate '
        . pki('vendor-root.pem') . " $parameters;\n"
        . 'trusted_crl ' . pki('vendor.crl') . ";\n", @more);
};

our $any = $vendor->('subject=*');

run_tests();

__DATA__

=== a device of a manufacturer: its own subject
--- test
my ($status, $out) = execute('openssl', 'x509', '-in',
    pki('vendor-device.pem'), '-noout', '-subject', '-nameopt',
    'compat,sname');
my ($subject) = $out =~ m{subject=\s*(\S.*)};

($status, $out) = client('ir', '-cert', pki('vendor-device.pem'), '-key',
    pki('vendor-device.key'), '-subject', $subject, '-newkey',
    newkey('P-256'), '-certout', tmp('vendor.pem'));
is($status, 0, 'ir') or diag($out);

($status, $out) = client('ir', '-cert', pki('vendor-device.pem'), '-key',
    pki('vendor-device.key'), '-subject', '/CN=other', '-newkey',
    newkey('P-256'), '-certout', tmp('vendor2.pem'));
is($status, 1, 'another subject');
like($out, qr/notAuthorized/, 'notAuthorized');



=== a subject by rule, from the serial number of the device
--- http_config eval: $main::vendor->('"subject=CN=bts-$serialNumber"')
--- cmp
ir -cert %%PKI%%/vendor-device.pem -key %%PKI%%/vendor-device.key
   -subject /CN=bts-4711 -newkey %%NEWKEY%% -certout %%TMP%%/1.pem
ir -cert %%PKI%%/vendor-device.pem -key %%PKI%%/vendor-device.key
   -subject /CN=bts-4712 -newkey %%NEWKEY%% -certout %%TMP%%/2.pem
--- cmp_exit: 0 1
--- cmp_out
notAuthorized



=== cr by a manufacturer's certificate only where configured
--- http_config eval: $main::any
--- cmp
cr -cert %%PKI%%/vendor-device.pem -key %%PKI%%/vendor-device.key
   -subject /CN=cr-1 -newkey %%NEWKEY%% -certout %%TMP%%/1.pem
--- cmp_exit: 1
--- cmp_out
notAuthorized



=== cr where it is
--- http_config eval: $main::vendor->('subject=* cr')
--- cmp
cr -cert %%PKI%%/vendor-device.pem -key %%PKI%%/vendor-device.key
   -subject /CN=cr-2 -newkey %%NEWKEY%% -certout %%TMP%%/1.pem



=== certificates that are not trusted
--- http_config eval: $main::any
--- cmp
ir -cert %%PKI%%/other-device.pem -key %%PKI%%/other-device.key
   -subject /CN=untrusted -newkey %%NEWKEY%% -certout %%TMP%%/1.pem
ir -cert %%PKI%%/vendor-expired.pem -key %%PKI%%/vendor-expired.key
   -subject /CN=untrusted -newkey %%NEWKEY%% -certout %%TMP%%/1.pem
--- cmp_exit: 1 1
--- cmp_out
signerNotTrusted
--- sql
SELECT count(*) FROM cmp.audit WHERE action = 'ir' AND requester LIKE '%xpired%'
--- sql_out
0



=== one that is revoked
--- http_config eval: $main::any
--- cmp
ir -cert %%PKI%%/vendor-revoked.pem -key %%PKI%%/vendor-revoked.key
   -subject /CN=revoked -newkey %%NEWKEY%% -certout %%TMP%%/1.pem
--- cmp_exit: 1
--- cmp_out
certRevoked



=== one whose state nobody knows
--- http_config eval
main::default_http_config(trusted => 'trusted_certificate '
    . main::pki('vendor-root.pem') . " subject=*;\n")
--- cmp
ir -cert %%PKI%%/vendor-device.pem -key %%PKI%%/vendor-device.key
   -subject /CN=unknown-state -newkey %%NEWKEY%% -certout %%TMP%%/1.pem
--- cmp_exit: 1
--- cmp_out
signerNotTrusted



=== one without digitalSignature
--- http_config eval: $main::any
--- cmp
ir -cert %%PKI%%/vendor-nosign.pem -key %%PKI%%/vendor-nosign.key
   -subject /CN=nosign -newkey %%NEWKEY%% -certout %%TMP%%/1.pem
--- cmp_exit: 1
--- cmp_out
badMessageCheck



=== a key that does not belong to the certificate
--- http_config eval: $main::any
--- test
my ($status, $out) = client('ir', '-ref', 'device1', '-secret',
    'pass:insecure', '-subject', '/CN=tampered', '-newkey', newkey('P-256'),
    '-certout', tmp('t.pem'), '-reqout', tmp('tampered.der'),
    '-disable_confirm');
is($status, 0, 'ir');

# the same transaction with another request in it

my $bytes = CMPTest::slurp(tmp('tampered.der'));
$bytes =~ s/tampered/TAMPERED/;

my $answer = http('POST', '/pkix/', $bytes,
                  'Content-Type' => 'application/pkixcmp');
is($answer->{status}, 200, 'answered');
like($answer->{body}, qr/does not verify/, 'the protection does not verify');
--- sql
SELECT count(*) FROM cmp.certificate WHERE subject LIKE '%TAMP%'
--- sql_out
0



=== an own certificate: cr for the same subject
--- test
my ($cert, $key) = main::enrol('own-cr');

my ($status, $out) = client('cr', '-cert', $cert, '-key', $key, '-subject',
    '/CN=own-cr', '-newkey', newkey('P-256'), '-certout', tmp('cr.pem'));
is($status, 0, 'same subject') or diag($out);

($status, $out) = client('cr', '-cert', $cert, '-key', $key, '-subject',
    '/CN=somebody-else', '-newkey', newkey('P-256'), '-certout',
    tmp('cr2.pem'));
is($status, 1, 'another subject');
like($out, qr/notAuthorized/, 'notAuthorized');



=== kur, by keys of all kinds
--- test
# OpenSSL 3.0 cannot protect messages with EdDSA

for my $kind (qw(P-256 P-384 rsa)) {
    my ($cert, $key) = main::enrol("kur-$kind", $kind);

    my ($status, $out) = client('kur', '-cert', $cert, '-key', $key,
        '-newkey', newkey($kind), '-certout', tmp("kur-$kind-new.pem"));
    is($status, 0, "kur, $kind") or diag($out);
    like($out, qr/received PKICONF/, 'confirmed');
}
--- sql
SELECT count(*) FROM cmp.certificate
WHERE subject LIKE 'CN=kur-%' AND predecessor IS NOT NULL AND state = 1
--- sql_out
3



=== kur that keeps the key
--- test
my ($cert, $key) = main::enrol('kur-same');

my ($status, $out) = client('kur', '-cert', $cert, '-key', $key,
    '-certout', tmp('kur-same-new.pem'), '-newkey', $key);
is($status, 0, 'kur') or diag($out);



=== kur may not change the subject
--- test
my ($cert, $key) = main::enrol('kur-subject');

my ($status, $out) = client('kur', '-cert', $cert, '-key', $key, '-subject',
    '/CN=other', '-certout', tmp('k.pem'), '-newkey', newkey('P-256'));
is($status, 1, 'refused');
like($out, qr/badCertTemplate|notAuthorized/, 'why') or diag($out);



=== a certificate that was updated may update itself until the new one signs
--- test
my ($cert, $key) = main::enrol('kur-twice');
my @new;

for my $n (1, 2) {
    my $new = newkey('P-256');

    my ($status, $out) = client('kur', '-cert', $cert, '-key', $key,
        '-newkey', $new, '-certout', tmp("kur-twice-$n.pem"));
    is($status, 0, "kur $n") or diag($out);
    push @new, $new;
}

is(sql(q{SELECT string_agg(state::text, ' ' ORDER BY serial)
         FROM cmp.certificate WHERE subject = 'CN=kur-twice'}), '1 3 1',
   'the first successor was revoked, nobody used it');

# the second one signs: the first certificate has ended

my ($status, $out) = client('kur', '-cert', tmp('kur-twice-2.pem'), '-key',
    $new[1], '-newkey', newkey('P-256'), '-certout', tmp('kur-3.pem'));
is($status, 0, 'kur by the new one') or diag($out);

($status, $out) = client('kur', '-cert', $cert, '-key', $key,
    '-newkey', newkey('P-256'), '-certout', tmp('kur-4.pem'));
is($status, 1, 'kur by the old one');
like($out, qr/certRevoked/, 'certRevoked');



=== kur with a shared secret
--- test
my ($cert, $key) = main::enrol('kur-mac');

my ($status, $out) = client('kur', '-ref', 'device1', '-secret',
    'pass:insecure', '-oldcert', $cert, '-newkey', newkey('P-256'),
    '-certout', tmp('kur-mac-new.pem'));
is($status, 1, 'refused');
like($out, qr/wrongIntegrity/, 'wrongIntegrity') or diag($out);



=== a certificate of this CA that is not in the store
--- test
my $key = newkey('P-256');
my ($status, $out) = execute('sh', '-c', 'openssl req -new -config /dev/null '
    . "-subj /CN=forged -key $key | openssl x509 -req -CA " . pki('ca.pem')
    . ' -CAkey ' . pki('ca.key') . ' -days 3 -set_serial 77 -out '
    . tmp('forged.pem'));
is($status, 0, 'made') or diag($out);

($status, $out) = client('kur', '-cert', tmp('forged.pem'), '-key', $key,
    '-newkey', newkey('P-256'), '-certout', tmp('forged2.pem'));
is($status, 1, 'refused');
like($out, qr/signerNotTrusted/, 'signerNotTrusted') or diag($out);



=== a revoked certificate
--- test
my ($cert, $key) = main::enrol('own-revoked');
my ($status, $out) = execute('openssl', 'x509', '-in', $cert, '-noout',
                             '-serial');
my ($serial) = $out =~ /serial=(\w+)/;

($status, $out) = cmpctl('certificate', 'revoke', $serial);
is($status, 0, 'cmpctl certificate revoke') or diag($out);

($status, $out) = client('kur', '-cert', $cert, '-key', $key, '-newkey',
    newkey('P-256'), '-certout', tmp('r.pem'));
is($status, 1, 'refused');
like($out, qr/certRevoked/, 'certRevoked') or diag($out);



=== an RA: raVerified
--- http_config eval
main::default_http_config(ca => 'ra_certificate ' . main::pki('ra.pem')
    . ' "subject=CN=dev-*"; trusted_crl ' . main::pki('root.crl') . ';')
--- test
for my $case (['dev-1', 0], ['dev-2', 0, '-popo', 0], ['other', 1]) {
    my ($name, $expected, @more) = @$case;

    my ($status, $out) = client('ir', '-cert', pki('ra.pem'), '-key',
        pki('ra.key'), '-subject', "/CN=$name", '-newkey', newkey('P-256'),
        '-certout', tmp("ra-$name.pem"), @more);
    is($status, $expected, "$name @more") or diag($out);
    like($out, qr/notAuthorized/, 'notAuthorized') if $expected;
}



=== an RA that a profile made: its limits
--- http_config eval
main::default_http_config(
    profile => 'implicit_confirm on;',
    ca => 'profile ra;',
    http => 'cmp_profile ra { validity 1d; key ec:P-256; key_usage '
            . 'digitalSignature; subject required=CN; key_reuse subject; '
            . 'ra on profile=device "subject=CN=$CN-*" '
            . 'reasons=superseded; }')
--- test
credential(reference => 'ra1', secret => 'insecure', profile => 'ra',
           subject => 'CN=site1');

my $key = newkey();
my @by = ('-cert', tmp('ra.pem'), '-key', $key);

my ($status, $out) = client('ir', '-path', '/pkix/p/ra', '-ref', 'ra1',
    '-secret', 'pass:insecure', '-subject', '/CN=site1', '-newkey', $key,
    '-certout', tmp('ra.pem'));
is($status, 0, 'the RA enrols') or diag($out);

my %keys;

for my $case (['site1-a', 0], ['site1-b', 0, '-popo', 0], ['site2-a', 1]) {
    my ($name, $expected, @more) = @$case;

    $keys{$name} = newkey();

    my ($status, $out) = client('ir', @by, '-subject', "/CN=$name", '-newkey',
        $keys{$name}, '-certout', tmp("$name.pem"), @more);
    is($status, $expected, "$name @more") or diag($out);
    like($out, qr/notAuthorized/, 'notAuthorized') if $expected;
}

($status, $out) = client('ir', '-path', '/pkix/p/ra', @by, '-subject',
    '/CN=site1-ra', '-newkey', newkey(), '-certout', tmp('x.pem'));
is($status, 1, 'another RA');
like($out, qr/notAuthorized/, 'notAuthorized');

for my $case ([1, 1], [4, 0]) {
    my ($reason, $expected) = @$case;

    ($status, $out) = client('rr', @by, '-oldcert', tmp('site1-a.pem'),
                             '-revreason', $reason);
    is($status, $expected, "revocation, reason $reason") or diag($out);
    like($out, qr/notAuthorized/, 'notAuthorized') if $expected;
}

($status, $out) = client('kur', @by, '-newkey', newkey(), '-certout',
                         tmp('ra2.pem'));
is($status, 0, 'the RA updates its own certificate') or diag($out);
