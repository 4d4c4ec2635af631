# Copyright (C) ngx_http_cmp_module contributors
#
# rr: revocation by the certificate itself, by a secret, by an RA; hold.

use lib 't/lib';
use CMPTest;

credential(reference => 'device1', secret => 'insecure');
credential(reference => 'revoker', secret => 'insecure',
           'may-revoke' => undef);

sub enrol {
    my ($name, @more) = @_;
    my $key = newkey('P-256');

    my ($status, $out) = client('ir', '-ref', 'device1', '-secret',
        'pass:insecure', '-subject', "/CN=$name", '-newkey', $key,
        '-certout', tmp("$name.pem"), '-implicit_confirm', @more);

    is($status, 0, "$name is enrolled") or diag($out);

    return (tmp("$name.pem"), $key);
}

sub state {
    return sql("SELECT c.state || ' ' || coalesce(r.reason, -1)"
        . ' FROM cmp.certificate c LEFT JOIN cmp.revocation r'
        . " USING (ca_id, serial) WHERE c.subject = 'CN=$_[0]'"
        . ' ORDER BY c.serial');
}

our $ra = default_http_config(ca => 'ra_certificate ' . pki('ra.pem')
    . ' "subject=CN=dev-*" reasons=keyCompromise,certificateHold,'
    . 'removeFromCRL; trusted_crl ' . pki('root.crl') . ';');

run_tests();

__DATA__

=== a certificate revokes itself, and only once
--- test
my ($cert, $key) = main::enrol('itself');

for my $expected (0, 1) {
    my ($status, $out) = client('rr', '-cert', $cert, '-key', $key,
        '-oldcert', $cert, '-revreason', 1);
    is($status, $expected, "rr, exit code $expected") or diag($out);
    like($out, qr/certRevoked/, 'certRevoked') if $expected;
}

is(main::state('itself'), '3 1', 'keyCompromise');



=== a key that was compromised is never certified again
--- test
my ($cert, $key) = main::enrol('compromised');

my ($status, $out) = client('rr', '-cert', $cert, '-key', $key, '-oldcert',
                            $cert, '-revreason', 1);
is($status, 0, 'rr') or diag($out);

($status, $out) = client('ir', '-ref', 'device1', '-secret', 'pass:insecure',
    '-subject', '/CN=compromised', '-newkey', $key, '-certout', tmp('c.pem'));
is($status, 1, 'ir for the key');
like($out, qr/badCertTemplate.*keyCompromise/s, 'badCertTemplate');



=== without a reason
--- test
my ($cert, $key) = main::enrol('unspecified');

my ($status, $out) = client('rr', '-cert', $cert, '-key', $key, '-oldcert',
                            $cert);
is($status, 0, 'rr') or diag($out);
is(main::state('unspecified'), '3 0', 'unspecified');



=== somebody else's certificate
--- test
my ($cert, $key) = main::enrol('mine');
my ($other) = main::enrol('theirs');

my ($status, $out) = client('rr', '-cert', $cert, '-key', $key, '-oldcert',
                            $other, '-revreason', 4);
is($status, 1, 'rr');
like($out, qr/notAuthorized/, 'notAuthorized') or diag($out);
is(main::state('theirs'), '1 -1', 'still valid');



=== a certificate of another CA
--- test
my ($cert, $key) = main::enrol('mine2');

my ($status, $out) = client('rr', '-cert', $cert, '-key', $key, '-oldcert',
                            pki('vendor-device.pem'), '-revreason', 4);
is($status, 1, 'rr');
like($out, qr/badCertId/, 'badCertId') or diag($out);



=== by a shared secret that may not
--- test
my ($cert) = main::enrol('by-mac');

my ($status, $out) = client('rr', '-ref', 'device1', '-secret',
    'pass:insecure', '-oldcert', $cert, '-revreason', 4);
is($status, 1, 'rr');
like($out, qr/wrongIntegrity/, 'wrongIntegrity') or diag($out);
like($out, qr/received RP/, 'in rp');
is(main::state('by-mac'), '1 -1', 'still valid');



=== by one that may: only what was issued under it
--- test
my $key = newkey('P-256');

my ($status, $out) = client('ir', '-ref', 'revoker', '-secret',
    'pass:insecure', '-subject', '/CN=of-revoker', '-newkey', $key,
    '-certout', tmp('of-revoker.pem'));
is($status, 0, 'ir') or diag($out);

my ($other) = main::enrol('not-of-revoker');

($status, $out) = client('rr', '-ref', 'revoker', '-secret', 'pass:insecure',
    '-oldcert', $other, '-revreason', 4);
is($status, 1, "another's");
like($out, qr/notAuthorized/, 'notAuthorized') or diag($out);

($status, $out) = client('rr', '-ref', 'revoker', '-secret', 'pass:insecure',
    '-oldcert', tmp('of-revoker.pem'), '-revreason', 4);
is($status, 0, 'its own') or diag($out);
is(main::state('of-revoker'), '3 4', 'superseded');



=== by subject and public key, from a PKCS#10
--- test
my ($cert, $key) = main::enrol('by-csr');

my ($status, $out) = execute('openssl', 'req', '-new', '-config', '/dev/null',
    '-subj', '/CN=by-csr', '-key', $key, '-out', tmp('by.csr'));
is($status, 0, 'PKCS#10') or diag($out);

($status, $out) = client('rr', '-cert', $cert, '-key', $key, '-csr',
                         tmp('by.csr'), '-revreason', 4);
is($status, 0, 'rr') or diag($out);
is(main::state('by-csr'), '3 4', 'revoked');



=== hold, and who may end it
--- test
my ($cert, $key) = main::enrol('hold');

my ($status, $out) = client('rr', '-cert', $cert, '-key', $key, '-oldcert',
                            $cert, '-revreason', 6);
is($status, 0, 'hold') or diag($out);
is(main::state('hold'), '2 6', 'on hold');

# a thief of the key must not lift it

($status, $out) = client('rr', '-cert', $cert, '-key', $key, '-oldcert',
                         $cert, '-revreason', 8);
is($status, 1, 'release by itself');
is(main::state('hold'), '2 6', 'still on hold');

($status, $out) = execute('openssl', 'x509', '-in', $cert, '-noout',
                          '-serial');
my ($serial) = $out =~ /serial=(\w+)/;

($status, $out) = cmpctl('certificate', 'release', $serial);
is($status, 0, 'release by the operator') or diag($out);
like(main::state('hold'), qr/^1/, 'valid');



=== release by itself where the profile allows it
--- http_config eval: main::default_http_config(profile => 'release_itself on;')
--- test
my ($cert, $key) = main::enrol('hold-itself');

for my $reason (6, 8) {
    my ($status, $out) = client('rr', '-cert', $cert, '-key', $key,
        '-oldcert', $cert, '-revreason', $reason);
    is($status, 0, "reason $reason") or diag($out);
}

like(main::state('hold-itself'), qr/^1/, 'valid');



=== an operator's hold is not lifted by the certificate
--- http_config eval: main::default_http_config(profile => 'release_itself on;')
--- test
my ($cert, $key) = main::enrol('hold-operator');
my ($status, $out) = execute('openssl', 'x509', '-in', $cert, '-noout',
                             '-serial');
my ($serial) = $out =~ /serial=(\w+)/;

($status, $out) = cmpctl('certificate', 'hold', $serial);
is($status, 0, 'hold') or diag($out);

($status, $out) = client('rr', '-cert', $cert, '-key', $key, '-oldcert',
                         $cert, '-revreason', 8);
is($status, 1, 'release');
is(main::state('hold-operator'), '2 6', 'still on hold');



=== not on hold
--- http_config eval: $main::ra
--- test
my ($cert) = main::enrol('dev-1');

my ($status, $out) = client('rr', '-cert', pki('ra.pem'), '-key',
    pki('ra.key'), '-oldcert', $cert, '-revreason', 8);
is($status, 1, 'release');
like($out, qr/badCertId/, 'badCertId') or diag($out);



=== an RA, within its limits
--- http_config eval: $main::ra
--- test
my ($cert) = main::enrol('dev-2');
my ($other) = main::enrol('no-dev');
my @by = ('-cert', pki('ra.pem'), '-key', pki('ra.key'));

my ($status, $out) = client('rr', @by, '-oldcert', $cert, '-revreason', 4);
is($status, 1, 'a reason that it may not use');
like($out, qr/notAuthorized/, 'notAuthorized');

($status, $out) = client('rr', @by, '-oldcert', $other, '-revreason', 1);
is($status, 1, 'a subject that is not its own');
like($out, qr/notAuthorized/, 'notAuthorized');

for my $reason (6, 8, 1) {
    ($status, $out) = client('rr', @by, '-oldcert', $cert,
                             '-revreason', $reason);
    is($status, 0, "reason $reason") or diag($out);
}

is(main::state('dev-2'), '3 1', 'revoked');



=== seen by everybody in the CRL
--- test
my ($cert, $key) = main::enrol('seen');

my $crl = sub {
    my $answer = http('GET', '/crl/devices.crl', '');
    is($answer->{status}, 200, 'CRL');
    open my $fh, '>', tmp('crl.der') or die;
    print $fh $answer->{body};
    close $fh;
    execute('openssl', 'crl', '-inform', 'DER', '-in', tmp('crl.der'),
            '-out', tmp('crl.pem'));
    return (execute('openssl', 'verify', '-CAfile', pki('root.pem'),
        '-untrusted', pki('ca.pem'), '-crl_check', '-CRLfile', tmp('crl.pem'),
        $cert))[0];
};

is($crl->(), 0, 'valid');

my ($status, $out) = client('rr', '-cert', $cert, '-key', $key, '-oldcert',
                            $cert, '-revreason', 1);
is($status, 0, 'rr') or diag($out);

is($crl->(), 2, 'revoked');
