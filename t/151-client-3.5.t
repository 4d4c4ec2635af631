# Copyright (C) ngx_http_cmp_module contributors
#
# What the client of OpenSSL 3.5 can do and that of 3.0 cannot: certProfile,
# central key generation; and EdDSA, where it changes the version inside of
# a transaction.

use lib 't/lib';
use CMPTest;

credential(reference => 'device1', secret => 'insecure');
credential(reference => 'both', secret => 'insecure',
           'profile=device' => undef, 'profile=server' => undef);

our $profiles = default_http_config(
    profile => "}\ncmp_profile server {\n    validity 10d;\n"
               . "    key ec:P-256;\n    key_usage digitalSignature;\n"
               . '    ext_key_usage serverAuth;',
    ca => 'profile server;');

my ($status, $help) = client('ir', '-help');

if ($help !~ /-centralkeygen/) {
    SKIP: { skip('the client is older than OpenSSL 3.5', 1); }
    exit 0;
}

run_tests();

__DATA__

=== certProfile chooses the profile
--- http_config eval: $main::profiles
--- cmp
ir -ref both -secret pass:insecure -subject /CN=by-profile
   -newkey %%NEWKEY%% -certout %%TMP%%/profile.pem -profile server
--- test
my ($status, $out) = execute('openssl', 'x509', '-in', tmp('profile.pem'),
    '-noout', '-text');
like($out, qr/TLS Web Server Authentication/, 'of the profile');
--- sql
SELECT state FROM cmp.certificate WHERE subject = 'CN=by-profile'
--- sql_out
1



=== a profile that is not there
--- cmp
ir -ref device1 -secret pass:insecure -subject /CN=no-profile
   -newkey %%NEWKEY%% -certout %%TMP%%/profile.pem -profile nosuch
--- cmp_exit: 1
--- cmp_out
notAuthorized



=== central key generation is refused, and why
--- cmp
ir -ref device1 -secret pass:insecure -subject /CN=central -centralkeygen
   -newkeyout %%TMP%%/central.key -certout %%TMP%%/central.pem
--- cmp_exit: 1
--- cmp_out
/PKIFailureInfo: \w+/
--- sql
SELECT count(*) FROM cmp.certificate WHERE subject = 'CN=central'
--- sql_out
0



=== Ed25519 and Ed448: requests, their protection, kur and rr
--- http_config eval
main::default_http_config(keys => 'ed25519 ed448 ec:P-256')
--- test
for my $kind (qw(ed25519 ed448)) {
    my $key = newkey($kind);
    my $cert = tmp("$kind.pem");

    my ($status, $out) = client('ir', '-ref', 'device1', '-secret',
        'pass:insecure', '-subject', "/CN=$kind", '-newkey', $key, '-certout',
        $cert);
    is($status, 0, "$kind: ir") or diag($out);

    my $key2 = newkey($kind);

    ($status, $out) = client('kur', '-cert', $cert, '-key', $key, '-newkey',
        $key2, '-certout', tmp('next.pem'));
    is($status, 0, "$kind: kur") or diag($out);
    like($out, qr/received PKICONF/, "$kind: confirmed");

    ($status, $out) = client('rr', '-cert', tmp('next.pem'), '-key', $key2,
        '-oldcert', tmp('next.pem'), '-revreason', 0);
    is($status, 0, "$kind: rr") or diag($out);
}
