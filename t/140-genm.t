# Copyright (C) ngx_http_cmp_module contributors
#
# genm: support messages.  `openssl cmp` before 3.3 only prints the types of
# the answers; what is in them is looked at with a newer one: the one that
# TEST_CMP_OPENSSL names, build-deps/openssl-3.5, or that of the system.

use lib 't/lib';
use CMPTest;

credential(reference => 'device1', secret => 'insecure', profile => 'device');

our @mac = ('-ref', 'device1', '-secret', 'pass:insecure');

sub is_new {
    return (execute(shift, 'cmp', '-help'))[1] =~ / -template /;
}

our ($new) = grep { defined $_ && is_new($_) } $ENV{TEST_CMP_OPENSSL},
    'build-deps/openssl-3.5/openssl', 'openssl';

# what a newer client wants with caCerts

our @cacerts = is_new($ENV{TEST_CMP_OPENSSL} || 'openssl')
               ? ('-cacertsout', tmp('cacerts.pem')) : ();

our $profile = 'subject required=CN,serialNumber O="Example"; '
    . 'ext_key_usage clientAuth;';
our $url = 'http://pki.example/crl/devices.crl';

# the answer of a newer client, or nothing

sub newer {
    local $ENV{TEST_CMP_OPENSSL} = $new;

    return defined $new ? client('genm', @mac, @_) : (undef, '');
}

sub text {
    my ($status, $out) = execute('openssl', @_);

    is($status, 0, "openssl $_[0]") or diag($out);

    return $out;
}

# a root with name and key of one, signed by another

sub root {
    my ($name, $subject, $key, $by, $by_key) = @_;

    open my $fh, '>', tmp('ca.ext') or die;
    print $fh "basicConstraints=critical,CA:TRUE\n"
        . "keyUsage=critical,keyCertSign,cRLSign,digitalSignature\n"
        . "subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n";
    close $fh;

    text('req', '-new', '-config', '/dev/null', '-subj', $subject, '-key',
         $key, '-out', tmp("$name.csr"));
    text('x509', '-req', '-in', tmp("$name.csr"), '-out', tmp("$name.pem"),
         '-days', 30, '-extfile', tmp('ca.ext'),
         defined $by ? ('-CA', $by, '-CAkey', $by_key, '-set_serial', 7)
                     : ('-signkey', $key));

    return tmp("$name.pem");
}

sub subject {
    my $out = text('x509', '-in', $_[0], '-noout', '-subject', '-nameopt',
                   'compat');

    $out =~ s/^subject=\s*|\s+$//g;

    return $out;
}

our $config = default_http_config(profile => $profile,
                                  ca => "crl url=$url;");

run_tests();

__DATA__

=== what a client of OpenSSL 3.0 can ask for
--- http_config eval: $main::config
--- test
for my $type (qw(signKeyPairTypes encKeyPairTypes preferredSymmAlg currentCRL
                 caProtEncCert))
{
    my ($status, $out) = client('genm', @main::mac, '-infotype', $type);

    is($status, 0, $type) or diag($out);
    like($out, qr/id-it-$type/, "$type is answered");
}

my ($status, $out) = client('genm', @main::mac, '-infotype', 'caCerts',
                            @main::cacerts);
is($status, 0, 'caCerts') or diag($out);
like($out, qr/received GENP/, 'caCerts is answered');
--- sql
SELECT count(*) FROM cmp.audit WHERE action = 'genm' AND status = 0
--- sql_out
6



=== the CRL is made for the answer
--- http_config eval: $main::config
--- test
my $number = sub { sql('SELECT coalesce(max(number), 0) FROM cmp.crl') };
my $before = $number->();

my $key = newkey();
my ($status, $out) = client('ir', @main::mac, '-subject',
    '/CN=gone/serialNumber=1', '-newkey', $key, '-certout', tmp('gone.pem'),
    '-implicit_confirm');
is($status, 0, 'ir') or diag($out);

($status, $out) = client('rr', '-cert', tmp('gone.pem'), '-key', $key,
    '-oldcert', tmp('gone.pem'), '-revreason', 4);
is($status, 0, 'rr') or diag($out);

($status, $out) = client('genm', @main::mac, '-infotype', 'currentCRL');
is($status, 0, 'genm') or diag($out);
is($number->(), $before + 1, 'a new CRL');

($status, $out) = client('genm', @main::mac, '-infotype', 'currentCRL');
is($status, 0, 'genm') or diag($out);
is($number->(), $before + 1, 'no newer one without need');



=== labels stand for one type
--- http_config eval: $main::config
--- test
my ($status, $out) = client('genm', @main::mac, '-infotype', 'caCerts',
                            '-path', '.well-known/cmp/getcacerts',
                            @main::cacerts);
is($status, 0, 'getcacerts') or diag($out);

for my $label (qw(getrootupdate getcertreqtemplate getcrls)) {
    ($status, $out) = client('genm', @main::mac, '-infotype', 'caCerts',
                             '-path', ".well-known/cmp/$label",
                             @main::cacerts);
    is($status, 1, $label);
    like($out, qr/badRequest/, "$label: badRequest") or diag($out);
}



=== unprotected, where that is allowed
--- http_config eval: $main::config
--- cmp
genm -unprotected_requests -subject /CN=anybody -infotype currentCRL
--- cmp_exit: 1
--- cmp_out
badMessageCheck



=== unprotected
--- http_config eval
main::default_http_config(ca => 'unprotected_genm on;')
--- test
my $auth = sub { sql('SELECT count(*) FROM cmp.audit') };
my $before = $auth->();

my ($status, $out) = client('genm', '-unprotected_requests', '-subject',
                            '/CN=anybody', '-infotype', 'currentCRL');
is($status, 0, 'genm') or diag($out);
is($auth->(), $before, 'nothing is written');



=== caCerts, certificates
--- http_config eval: $main::config
--- test
my ($status, $out) = main::newer('-infotype', 'caCerts', '-cacertsout',
                                 tmp('cacerts.pem'));

SKIP: {
    skip('no newer client', 2) if !defined $status;

    is($status, 0, 'genm') or diag($out);
    is(main::subject(tmp('cacerts.pem')), main::subject(pki('ca.pem')),
       'the issuing CA');
}



=== a root update, when one is prepared
--- http_config eval: $main::config
--- test
my $old = pki('root.pem');
my $oldkey = pki('root.key');
my $key = newkey();
my $subject = main::subject($old);

my $root = main::root('new', '/O=Example/CN=Root 2', $key);
my $nwo = main::root('nwo', '/O=Example/CN=Root 2', $key, $old, $oldkey);
my $own = main::root('own', $subject, $oldkey, $root, $key);

my @ask = ('-infotype', 'rootCaCert', '-oldwithold', $old, '-newwithnew',
           tmp('got.pem'), '-newwithold', tmp('got-nwo.pem'), '-oldwithnew',
           tmp('got-own.pem'));
my ($status, $out) = main::newer(@ask);

SKIP: {
    skip('no newer client', 2) if !defined $status;

    is($status, 0, 'none yet') or diag($out);
    ok(!-s tmp('got.pem'), 'no certificate');
}

($status, $out) = cmpctl('ca', 'rollover', '--ca', 'devices', '--new-root',
    $root, '--old-root', $old, '--new-with-old', $nwo, '--old-with-new',
    $own);
is($status, 0, 'ca rollover') or diag($out);

($status, $out) = client('genm', @main::mac, '-infotype', 'caProtEncCert');
is($status, 0, 'an older client') or diag($out);

($status, $out) = main::newer(@ask);

SKIP: {
    skip('no newer client', 5) if !defined $status;

    is($status, 0, 'genm') or diag($out);

    for my $pair (['got', $root], ['got-nwo', $nwo], ['got-own', $own]) {
        is(text('x509', '-in', tmp("$pair->[0].pem"), '-noout',
                '-fingerprint'),
           text('x509', '-in', $pair->[1], '-noout', '-fingerprint'),
           "$pair->[0]");
    }

    unlink tmp('got.pem');
    ($status, $out) = main::newer('-infotype', 'rootCaCert', '-oldwithold',
        pki('vendor-root.pem'), '-newwithnew', tmp('got.pem'));
    ok(!-s tmp('got.pem'), 'none for another root') or diag($out);
}

cmpctl('ca', 'rollover', '--ca', 'devices', '--cancel');



=== a template of the profile
--- http_config eval: $main::config
--- test
my ($status, $out) = main::newer('-infotype', 'certReqTemplate', '-template',
    tmp('template.der'), '-keyspec', tmp('keyspec.der'), '-profile',
    'device');

SKIP: {
    skip('no newer client', 5) if !defined $status;

    is($status, 0, 'genm') or diag($out);

    $out = text('asn1parse', '-inform', 'DER', '-in', tmp('template.der'));
    like($out, qr/organizationName.*?UTF8STRING\s+:Example/s, 'fixed value');
    like($out, qr/:commonName\n.*UTF8STRING\s+:\n/, 'to be filled in');
    like($out, qr/X509v3 Extended Key Usage/, 'extensions');

    $out = text('asn1parse', '-inform', 'DER', '-in', tmp('keyspec.der'));
    like($out, qr/prime256v1.*ED25519.*INTEGER\s+:0C00/s, 'keys');
}

($status, $out) = main::newer('-infotype', 'certReqTemplate', '-template',
    tmp('no.der'), '-profile', 'other');

SKIP: {
    skip('no newer client', 2) if !defined $status;

    is($status, 1, 'a profile that it may not use');
    like($out, qr/notAuthorized/, 'notAuthorized') or diag($out);
}



=== a newer CRL
--- http_config eval: $main::config
--- test
my $answer = http('GET', '/crl/devices.crl', '');
is($answer->{status}, 200, 'CRL');

open my $fh, '>', tmp('old.crl') or die;
print $fh $answer->{body};
close $fh;

# OpenSSL takes the source out of a certificate, or the issuer out of a CRL

my @ask = ('-infotype', 'crlStatusList', '-oldcrl', tmp('old.crl'),
           '-crlout', tmp('new.crl'));
my ($status, $out) = main::newer(@ask);

SKIP: {
    skip('no newer client', 2) if !defined $status;

    is($status, 0, 'nothing newer') or diag($out);
    ok(!-s tmp('new.crl'), 'no CRL');
}

my $key = newkey();
($status, $out) = client('ir', @main::mac, '-subject',
    '/CN=crl/serialNumber=2', '-newkey', $key, '-certout', tmp('crl.pem'),
    '-implicit_confirm');
is($status, 0, 'ir') or diag($out);

sleep 1;
($status, $out) = client('rr', '-cert', tmp('crl.pem'), '-key', $key,
    '-oldcert', tmp('crl.pem'), '-revreason', 1);
is($status, 0, 'rr') or diag($out);

for my $more ([], ['-crlcert', tmp('crl.pem')]) {
    unlink tmp('new.crl');
    ($status, $out) = main::newer(@ask, @$more);

    SKIP: {
        skip('no newer client', 3) if !defined $status;

        is($status, 0, "@$more") or diag($out);

        my ($serial) = text('x509', '-in', tmp('crl.pem'), '-noout',
                            '-serial') =~ /=(\w+)/;

        like(text('crl', '-in', tmp('new.crl'), '-inform', 'DER', '-noout',
                  '-text'),
             qr/Serial Number: $serial/, 'the certificate is on it');
    }
}
