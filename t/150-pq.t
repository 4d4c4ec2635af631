# Copyright (C) ngx_http_cmp_module contributors
#
# ML-DSA and SLH-DSA: keys of devices, of the CA, of the response
# certificate.  Needs a libcrypto that has them, OpenSSL 3.5 or later.

use lib 't/lib';
use CMPTest;

our $keys = 'ml-dsa-44 ml-dsa-65 ml-dsa-87 slh-dsa-sha2-128s'
            . ' slh-dsa-sha2-128f slh-dsa-sha2-256f slh-dsa-shake-192f'
            . ' ec:P-256';

my ($status, $list) = execute('openssl', 'list', '-public-key-algorithms');

if ($list !~ /ML-DSA-44/) {
    unsupported();
    SKIP: { skip('no ML-DSA in this OpenSSL, 3.5 is the first', 1); }
    exit 0;
}

# `nginx -t` says so

sub unsupported {
    my $conf = tmp('nginx.conf');
    my $load = $ENV{TEST_CMP_MODULE} ? "load_module $ENV{TEST_CMP_MODULE};"
                                     : '';

    open my $fh, '>', $conf or die "$conf: $!";
    print $fh "$load\npid ${\tmp('nginx.pid')};\nevents {}\nhttp {\n"
        . default_http_config(keys => 'ml-dsa-65') . "}\n";
    close $fh;

    my ($status, $out) = execute($ENV{TEST_NGINX_BINARY}, '-t', '-p', tmp(),
        '-e', tmp('error.log'), '-c', $conf);

    isnt($status, 0, 'nginx -t fails');
    like($out, qr/this OpenSSL (?:has|offers) no key "ml-dsa-65"/,
         'and names the key');
}

credential(reference => 'device1', secret => 'insecure');

# the keys are all of one kind

sub http_config {
    my $dir = own_pki(shift);

    return default_http_config(
        pki => $dir,
        trusted => "trusted_certificate $dir/vendor-root.pem subject=*;\n"
                   . "trusted_crl $dir/vendor.crl;\n",
        keys => $main::keys, @_);
}

# an enrolment by MAC, or as the options say

sub enrolled {
    my ($pki, $command, $name, $kind, @more) = @_;
    my $key = newkey($kind);
    my $dir = tmp($pki);

    if ($command eq 'ir' && !grep { $_ eq '-cert' } @more) {
        push @more, '-ref', 'device1', '-secret', 'pass:insecure';
    }

    my ($status, $out) = client($command, '-trusted', "$dir/root.pem",
        '-untrusted', "$dir/ca.pem", '-subject', "/CN=$name", '-newkey', $key,
        '-certout', tmp("$name.pem"), @more);

    is($status, 0, "$command for $kind") or diag($out);
    like($out, qr/received PKICONF/, "$kind: confirmed");

    return ($key, tmp("$name.pem"));
}


run_tests();

__DATA__

=== the life of a certificate, with an ML-DSA CA, for keys of every kind
--- http_config eval: main::http_config('ml-dsa-65')
--- test
for my $kind (qw(ml-dsa-44 ml-dsa-65 ml-dsa-87 slh-dsa-sha2-128s
                 slh-dsa-shake-192f ec:P-256))
{
    (my $type = $kind) =~ s/^ec://;
    my $dir = tmp('ml-dsa-65');
    my ($key, $cert) = main::enrolled('ml-dsa-65', 'ir', "ir-$type",
                                           $type);

    my ($status, $out) = execute('openssl', 'verify', '-CAfile',
        "$dir/root.pem", '-untrusted', "$dir/ca.pem", $cert);
    is($status, 0, "$kind: the certificate verifies") or diag($out);

    my ($key2, $cert2) = main::enrolled('ml-dsa-65', 'kur', "ir-$type",
        $type, '-cert', $cert, '-key', $key, '-certout', tmp('kur.pem'));

    ($status, $out) = client('rr', '-trusted', "$dir/root.pem", '-untrusted',
        "$dir/ca.pem", '-cert', tmp('kur.pem'), '-key', $key2, '-oldcert',
        tmp('kur.pem'), '-revreason', 1);
    is($status, 0, "$kind: rr") or diag($out);
}
--- sql
SELECT state, count(*) FROM cmp.certificate GROUP BY state ORDER BY state
--- sql_out
1|6
3|6



=== a certificate of a manufacturer with ML-DSA keys, p10cr, a CRL
--- http_config eval: main::http_config('ml-dsa-65')
--- test
my $dir = tmp('ml-dsa-65');
my ($key, $cert) = main::enrolled('ml-dsa-65', 'ir', 'vendor',
    'ml-dsa-44', '-cert', "$dir/vendor-device.pem", '-key',
    "$dir/vendor-device.key");

my ($status, $out) = execute('openssl', 'req', '-new', '-config', '/dev/null',
    '-subj', '/CN=p10', '-key', newkey('ml-dsa-87'), '-out', tmp('p10.csr'));
is($status, 0, 'PKCS#10') or diag($out);

($status, $out) = client('p10cr', '-trusted', "$dir/root.pem", '-untrusted',
    "$dir/ca.pem", '-ref', 'device1', '-secret', 'pass:insecure', '-csr',
    tmp('p10.csr'), '-certout', tmp('p10.pem'));
is($status, 0, 'p10cr') or diag($out);

my $answer = http('GET', '/crl/devices.crl');
open my $fh, '>', tmp('crl.der');
print $fh $answer->{body};
close $fh;

($status, $out) = execute('openssl', 'crl', '-inform', 'DER', '-in',
    tmp('crl.der'), '-noout', '-text', '-CAfile', "$dir/ca.pem");
is($status, 0, 'the CRL') or diag($out);
like($out, qr/ML-DSA-65/, 'is signed with ML-DSA');



=== an SLH-DSA CA; a message near the limit of its size
--- http_config eval: main::http_config('slh-dsa-sha2-128f')
--- test
my $pki = 'slh-dsa-sha2-128f';
my ($key, $cert) = main::enrolled($pki, 'ir', 'large',
    'slh-dsa-sha2-256f');

main::enrolled($pki, 'kur', 'large', 'slh-dsa-sha2-256f', '-cert', $cert,
    '-key', $key, '-certout', tmp('large2.pem'));



=== a profile without them
--- http_config eval: main::http_config('ml-dsa-65', keys => 'ec:P-256')
--- test
my $dir = tmp('ml-dsa-65');
my ($status, $out) = client('ir', '-trusted', "$dir/root.pem", '-untrusted',
    "$dir/ca.pem", '-ref', 'device1', '-secret', 'pass:insecure', '-subject',
    '/CN=x', '-newkey', newkey('ml-dsa-44'), '-certout', tmp('x.pem'));
is($status, 1, 'refused');
like($out, qr/badCertTemplate/, 'badCertTemplate');
like($out, qr/ml-dsa-44 is none of ec:P-256/, 'and why');
