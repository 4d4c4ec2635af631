# Copyright (C) ngx_http_cmp_module contributors
#
# cmp_ca, cmp_pass and cmp_crl: what is refused while the configuration is
# read, and where the message says that it is.

use lib 't/lib';
use CMPTest;
use CMPConf;

our $ca = 'certificate ' . pki('ca-chain.pem') . '; ';
our $key = 'certificate_key ' . pki('ca.key') . '; ';

run_tests();

__DATA__

=== the block
--- test
refused('http', <<'_EOC_');
cmp_ca { }                  => invalid number of arguments in "cmp_ca"
cmp_ca a b { }              => invalid number of arguments in "cmp_ca"
cmp_ca a;                   => directive "cmp_ca" has no opening "{"
cmp_ca "" { }               => invalid name ""
cmp_ca a/b { }              => invalid name "a/b"
cmp_ca .a { }               => invalid name ".a"
cmp_ca a\'b { }             => invalid name "a'b"
cmp_ca a { }                => no "certificate" is defined in cmp_ca "a"
cmp_ca a { { } }            => unexpected "{"
_EOC_

my $long = 'x' x 65;
my $other = "$ca $key profile device;";

refused('http', "cmp_ca $long { } => invalid name \"$long\"");
refused('http', "cmp_ca a { $other } cmp_ca a { } => duplicate cmp_ca \"a\"");
accepted('http', "cmp_ca " . substr($long, 1) . " { $other }");

for my $place (qw(main server location)) {
    refused($place, 'cmp_ca a { } => "cmp_ca" directive is not allowed here');
}



=== settings that do not exist, that are elsewhere, that are blocks
--- test
refused('ca', <<'_EOC_');
certificat ca.pem;          => unknown directive "certificat"
validity 1d;                => unknown directive "validity"
cmp_pass devices;           => unknown directive "cmp_pass"
ssl_certificate ca.pem;     => unknown directive "ssl_certificate"
profile { }                 => unexpected "{"
include /nonexistent.conf;  => "/nonexistent.conf" failed
_EOC_

my $file = make_file('ca.inc', "confirm_timeout 1h;\nmac_sha1 maybe;\n");
my ($status, $out) = CMPConf::nginx_t('ca', "include $file;");

is($status, 1, 'an included file is read');
like($out, qr/invalid value "maybe" .* in \Q$file\E:2$/m, 'and has lines');



=== what has to be there
--- test
refused('ca', <<"_EOC_");
!                      => no "certificate" is defined in cmp_ca "devices" \@end
! $ca                  => no "certificate_key" is defined \@end
! $key profile device; => no "certificate" is defined \@end
! $ca $key             => no "profile" is defined in cmp_ca "devices" \@end
response_certificate %%PKI%%/response.pem; => no "response_certificate_key" \@end
response_certificate_key %%PKI%%/response.key; => no "response_certificate" \@end
_EOC_



=== files that cannot be read
--- test
my $empty = make_file('empty', '');
my $junk = make_file('junk', "-----BEGIN CERTIFICATE-----\nAAAA\n"
                             . "-----END CERTIFICATE-----\n"
                             . "-----BEGIN PRIVATE KEY-----\nAAAA\n"
                             . "-----END PRIVATE KEY-----\n"
                             . "-----BEGIN X509 CRL-----\nAAAA\n"
                             . "-----END X509 CRL-----\n");
my $half = make_file('half', CMPTest::slurp(pki('ca.pem'))
                     . "-----BEGIN CERTIFICATE-----\nMIIB\n");
my $der = tmp('ca.der');

execute('openssl', 'x509', '-in', pki('ca.pem'), '-outform', 'DER', '-out',
        $der);

for my $name (qw(certificate response_certificate trusted_certificate
                 ra_certificate))
{
    # "!" as "certificate" is there already

    refused('ca', <<"_EOC_");
! $name;                  => invalid number of arguments in "$name"
! $name "";               => cannot load certificate
! $name /nonexistent.pem; => "/nonexistent.pem": No such file or directory
! $name relative.pem;     => relative.pem": No such file or directory
! $name %%TMP%%;          => cannot load certificate "%%TMP%%"
! $name $empty;           => no certificate in "$empty", it must be in PEM
! $name $junk;            => cannot read certificate 1 of "$junk"
! $name $half;            => cannot read certificate 2 of "$half"
! $name $der;             => no certificate in "$der", it must be in PEM
! $name %%PKI%%/ca.key;   => no certificate in "%%PKI%%/ca.key"
_EOC_
}

refused('ca', <<"_EOC_");
! certificate a b;             => invalid number of arguments in "certificate"
certificate %%PKI%%/ca.pem;    => "certificate" directive is duplicate
trusted_crl;                   => invalid number of arguments in "trusted_crl"
trusted_crl a b;               => invalid number of arguments in "trusted_crl"
trusted_crl /nonexistent.crl;  => cannot load CRL "/nonexistent.crl"
trusted_crl $empty;            => no CRL in "$empty", it must be in PEM format
trusted_crl $junk;             => cannot load CRL "$junk"
trusted_crl %%PKI%%/ca.pem;    => no CRL in "%%PKI%%/ca.pem"
_EOC_

for my $name (qw(certificate_key response_certificate_key)) {
    refused('ca', <<"_EOC_");
! $name;                  => invalid number of arguments in "$name"
! $name a b c;            => invalid number of arguments in "$name"
! $name a pass=b;         => invalid parameter "pass=b"
! $name /nonexistent.key; => "/nonexistent.key": No such file or directory
! $name $empty;           => no private key in "$empty", it must be in PEM
! $name $junk;            => cannot load certificate key "$junk"
! $name %%PKI%%/ca.pem;   => no private key in "%%PKI%%/ca.pem"
! $name store:;           => "$name" directive has an empty URI
_EOC_
}

refused('ca', <<"_EOC_");
certificate_key %%PKI%%/ca.key; => "certificate_key" directive is duplicate
_EOC_



=== keys with passwords
--- test
my $locked = tmp('locked.key');
my $good = make_file('good.pass', "a secret\nanother line\n");
my $bad = make_file('bad.pass', "no-such-secret\n");
my $empty = make_file('empty.pass', "\n");
my $long = make_file('long.pass', 'x' x 2000);

my ($status, $out) = execute('openssl', 'pkcs8', '-topk8', '-in',
    pki('ca.key'), '-out', $locked, '-passout', 'pass:a secret');
is($status, 0, 'an encrypted key') or diag($out);

my $start = "! $ca profile device; certificate_key $locked";

refused('ca', <<"_EOC_");
$start;                           => is encrypted and no password for it is set
$start password=;                 => Is a directory
$start password=$empty;           => no usable password in "$empty"
$start password=$long;            => no usable password in "$long"
$start password=/nonexistent;     => open() "/nonexistent" failed
$start password=%%TMP%%;          => "%%TMP%%"
$start password=$bad;             => is its password right
_EOC_

accepted('ca', "$start password=$good;");

# a secret stands in no message

($status, $out) = CMPConf::nginx_t('ca', "$start password=$bad;");
unlike($out, qr/no-such-secret/, 'not on standard error');
unlike(CMPTest::slurp(tmp('conf.log')), qr/no-such-secret/, 'nor in the log');



=== certificates and keys that cannot be a CA's
--- test
my @ca = ('-addext', 'basicConstraints=critical,CA:TRUE',
          '-addext', 'subjectKeyIdentifier=hash',
          '-addext', 'keyUsage=keyCertSign,cRLSign,digitalSignature');

sub try_ca {
    my ($name, $message) = @_;
    my $file = tmp("$name.pem");
    my $key = tmp("$name.key");

    refused('ca', "! certificate $file; certificate_key $key; profile device; "
                  . "=> cmp_ca \"devices\": $message \@begin");
}

sub with {
    my %change = @_;

    return map { exists $change{$_} ? () : ('-addext', $_) }
           grep { $_ ne '-addext' }
           map { my $a = $_; for my $from (keys %change) {
                     $a = $change{$from} if index($a, $from) == 0
                                            && defined $change{$from};
                 } $a } @ca;
}

make_cert('good', '/CN=CA', @ca);
accepted('ca', '! certificate %%TMP%%/good.pem; '
               . 'certificate_key %%TMP%%/good.key; profile device;');

make_cert('noca', '/CN=CA', with(basicConstraints => 'basicConstraints='
                                                    . 'CA:FALSE'));
try_ca('noca', 'the CA certificate is no CA certificate, its basicConstraints');

make_cert('nosign', '/CN=CA', with(keyUsage => 'keyUsage=cRLSign'));
try_ca('nosign', 'the CA certificate has no keyUsage with keyCertSign');

make_cert('nocrl', '/CN=CA', with(keyUsage => 'keyUsage=keyCertSign'));
try_ca('nocrl', 'the CA certificate has no cRLSign in its keyUsage');

make_cert('nosig', '/CN=CA', with(keyUsage => 'keyUsage=keyCertSign,cRLSign'));
try_ca('nosig', 'the CA certificate has no digitalSignature in its keyUsage');

make_cert('noski', '/CN=CA', with(subjectKeyIdentifier
                                  => 'subjectKeyIdentifier=none'));
try_ca('noski', 'the CA certificate has no subjectKeyIdentifier');

make_cert('nosubject', '/', @ca);
try_ca('nosubject', 'the CA certificate has no subject');

make_cert('rsa1024', '/CN=CA', @ca, '-newkey', 'rsa:1024');
try_ca('rsa1024', 'the key of the CA certificate is not acceptable');

make_cert('x', '/CN=CA', @ca, '-newkey', 'ec', '-pkeyopt',
          'ec_paramgen_curve:P-256', '-pkeyopt', 'ec_param_enc:explicit');
try_ca('x', 'the key of the CA certificate is not acceptable');

my $start = "! profile device; certificate %%PKI%%/ca.pem; certificate_key";

refused('ca', <<"_EOC_");
$start %%PKI%%/root.key; => does not belong to the CA certificate \@begin
_EOC_

# expired, not yet valid

my $vendor = "! profile device; certificate_key %%PKI%%/vendor-expired.key; "
             . "certificate %%PKI%%/vendor-expired.pem;";

refused('ca', "$vendor => the CA certificate has expired \@begin");

my $conf = make_file('ca.cnf', <<"_EOC_");
[ca]
default_ca = this
[this]
database = %%TMP%%/ca.db
new_certs_dir = %%TMP%%
rand_serial = yes
default_md = default
policy = any
x509_extensions = ext
[any]
commonName = supplied
[ext]
basicConstraints = critical, CA:TRUE
_EOC_

make_file('ca.db', '');

my ($status, $out) = execute('openssl', 'req', '-new', '-config',
    tmp('req.cnf'), '-subj', '/CN=CA', '-key', pki('ca.key'), '-out',
    tmp('ca.csr'));
($status, $out) = execute('openssl', 'ca', '-batch', '-config', $conf,
    '-selfsign', '-keyfile', pki('ca.key'), '-in', tmp('ca.csr'), '-out',
    tmp('future.pem'), '-startdate', '20960101000000Z', '-enddate',
    '20970101000000Z');
is($status, 0, 'a certificate of the future') or diag($out);

refused('ca', '! certificate %%TMP%%/future.pem; profile device; '
              . 'certificate_key %%PKI%%/ca.key; '
              . '=> the CA certificate is not valid yet @begin');



=== chains
--- test
sub chain {
    my ($names, $message) = @_;
    my $file = make_file('chain.pem',
                         join '', map { CMPTest::slurp(pki("$_.pem")) }
                         split ' ', $names);

    my $text = "! profile device; $key certificate $file;";

    return accepted('ca', $text) if !defined $message;

    refused('ca', "$text => cmp_ca \"devices\": $message \@begin");
}

chain('ca');
chain('ca root');
chain('ca other-root', 'certificate 1 of the chain has not issued the one');
chain('ca root root', 'certificate 2 of the chain follows a self-signed one');
chain('ca response', 'certificate 1 of the chain is no CA certificate');
chain('ca' . ' root' x 9, 'the chain of the CA certificate has more than 8');



=== response_certificate
--- test
sub response {
    my ($name, $message, $keyname) = @_;
    my $dir = -f pki("$name.pem") ? pki() : tmp();
    my $text = "response_certificate $dir/$name.pem; response_certificate_key "
               . ($keyname // "$dir/$name.key") . ';';

    return accepted('ca', $text) if !defined $message;

    refused('ca', "$text => cmp_ca \"devices\": $message \@begin");
}

response('response');
response('response-chain', undef, pki('response.key'));
response('ra');
response('response', 'the key of "response_certificate_key" does not belong to',
         pki('ca.key'));
response('vendor-expired', 'the response certificate has expired');
response('vendor-nosign', 'the response certificate has no digitalSignature');
response('other-device', 'the response certificate does not chain to the CA');

make_cert('r', '/CN=R', '-addext', 'keyUsage=digitalSignature',
          '-addext', 'subjectKeyIdentifier=none');
response('r', 'the response certificate has no subjectKeyIdentifier');

make_cert('r', '/', '-addext', 'keyUsage=digitalSignature',
          '-addext', 'subjectKeyIdentifier=hash');
response('r', 'the response certificate has no subject');

refused('ca', <<'_EOC_');
response_certificate %%PKI%%/response.pem; response_certificate %%PKI%%/ca.pem; => "response_certificate" directive is duplicate
response_certificate_key %%PKI%%/ca.key; response_certificate_key %%PKI%%/ca.key; => "response_certificate_key" directive is duplicate
_EOC_



=== profile
--- test
refused('ca', <<"_EOC_");
profile;                 => invalid number of arguments in "profile" directive
profile third;           => unknown cmp_profile "third"
! $ca $key profile device third;   => unknown cmp_profile "third"
profile "";              => invalid name ""
profile a/b;             => invalid name "a/b"
profile device;          => duplicate profile "device"
! $ca $key profile device device;  => duplicate profile "device"
_EOC_

# the pathLenConstraint of the CA is 0

refused('ca', <<"_EOC_");
! $ca $key profile sub; } cmp_profile sub { ca on; validity 1d; key ec:P-256; => profile "sub" is for CA certificates, which the pathLenConstraint \@begin
_EOC_

accepted('ca', <<"_EOC_");
! $ca $key profile device; profile second;
! $ca $key profile device second;
_EOC_



=== trusted_certificate
--- test
my $t = 'trusted_certificate %%PKI%%/vendor-root.pem';

refused('ca', <<"_EOC_");
$t profile=;              => invalid parameter "profile="
$t profile;               => invalid parameter "profile"
$t profile=a/b;           => invalid name "a/b"
$t profile=device,;       => invalid name ""
$t profile=third;         => profile "third" of a trusted certificate \@begin
$t subject=;              => invalid parameter "subject="
$t subject=CN=a subject=CN=b;  => invalid parameter "subject=CN=b"
$t subject=Example;       => "Example" is not of the form CN=... \@begin
$t subject=XX=1;          => unknown attribute "XX" \@begin
$t subject=CN=;           => attribute "CN" has no value \@begin
$t subject=CN=a+OU=b;     => write "\\+" for a plus sign \@begin
$t 'subject=CN=\$XX';     => unknown placeholder "\$XX" \@begin
$t 'subject=CN=\${CN';    => unknown placeholder "\${CN" \@begin
$t san=;                  => invalid parameter "san="
$t san=names;             => unknown kind of name "names" \@begin
$t san=dns:;              => no pattern behind "dns:" \@begin
$t 'san=dns:\$XX.example';  => unknown placeholder "\$XX.example" \@begin
$t san=ip:10.0.0.0/99;    => is not an address or network \@begin
$t crl=on;                => invalid parameter "crl=on"
$t cr=on;                 => invalid parameter "cr=on"
$t reasons=superseded;    => invalid parameter "reasons=superseded"
$t foo;                   => invalid parameter "foo"
$t foo=bar;               => invalid parameter "foo=bar"
_EOC_

accepted('ca', <<"_EOC_");
$t;
$t; trusted_crl %%PKI%%/vendor.crl; trusted_crl %%PKI%%/root.crl;
$t profile=device,second cr crl=off;
! $ca $key $t profile=device; profile device;
$t subject=same; $t subject=*;
$t 'subject=CN=\$serialNumber,O=Example' 'san=dns:\${CN}.example' san=ip;
trusted_certificate %%PKI%%/vendor-device-chain.pem;
$t reg_token;
_EOC_



=== previous_certificate
--- test
my $name = '/O=Example/CN=Example Device CA';
my @ca = ('-addext', 'basicConstraints=critical,CA:TRUE', '-addext',
          'keyUsage=critical,keyCertSign,cRLSign');
my $old = make_cert('old', $name, @ca);
my $older = make_cert('older', $name, @ca);
my $other = make_cert('othername', '/CN=other', @ca);
my $nocrl = make_cert('nocrl', $name, '-addext',
    'basicConstraints=critical,CA:TRUE', '-addext',
    'keyUsage=critical,keyCertSign');
my $nokey = make_cert('noca', $name);
my $p = 'previous_certificate';
my $tmp = tmp();

refused('ca', <<"_EOC_");
$p;                       => invalid number of arguments in "$p"
$p /nonexistent.pem;      => cannot load certificate "/nonexistent.pem"
${p}_key $tmp/old.key;    => needs "$p" before it
$p $old; $p $older;       => needs "${p}_key" for the one before
$p $old; ${p}_key /nonexistent.key; => cannot load certificate key
$p $old;                  => no "${p}_key" is defined \@end
$p $old; ${p}_key $tmp/older.key; => does not belong to the previous \@begin
$p $other; ${p}_key $tmp/othername.key; => has another subject than the \@begin
$p $nocrl; ${p}_key $tmp/nocrl.key; => has no cRLSign \@begin
$p $nokey; ${p}_key $tmp/noca.key; => is no CA certificate, its \@begin
$p %%PKI%%/ca.pem; ${p}_key %%PKI%%/ca.key; => a key that stands there already \@begin
$p $old; ${p}_key $tmp/old.key; $p $old; ${p}_key $tmp/old.key; => stands there already \@begin
_EOC_

accepted('ca', <<"_EOC_");
$p $old; ${p}_key $tmp/old.key;
$p $old; ${p}_key $tmp/old.key; $p $older; ${p}_key $tmp/older.key;
_EOC_



=== ra_certificate
--- test
my $r = 'ra_certificate %%PKI%%/ra.pem';
my $nosign = make_cert('ra', '/CN=RA', '-addext', 'keyUsage=keyAgreement',
                       '-addext', 'extendedKeyUsage=1.3.6.1.5.5.7.3.28');

refused('ca', <<"_EOC_");
$r cr;                    => invalid parameter "cr"
$r reasons=;              => invalid parameter "reasons="
$r reasons=lost;          => invalid parameter "reasons=lost"
$r reasons=superseded,;   => invalid parameter "reasons=superseded,"
$r reasons=Superseded;    => invalid parameter "reasons=Superseded"
$r subject=Example;       => "Example" is not of the form CN=... \@begin
$r profile=third;         => profile "third" of a trusted \@begin
$r foo;                   => invalid parameter "foo"
ra_certificate %%PKI%%/vendor-device.pem; => has no cmcRA in its \@begin
ra_certificate $nosign;   => has no digitalSignature in its keyUsage \@begin
_EOC_

accepted('ca', <<"_EOC_");
$r;
$r; trusted_crl %%PKI%%/root.crl;
$r crl=off profile=second subject=CN=*,O=Example san=dns:*.example;
$r reasons=keyCompromise,cACompromise,superseded,certificateHold,removeFromCRL;
_EOC_



=== choices
--- test
my %values = (
    conformance => 'rfc9810 rfc9483',
    error_protection => 'mac signature',
    ca_pubs => 'mac always',
    unavailable_status => '200 503',
    mac_sha1 => 'on off',
    unprotected_genm => 'on off',
    genm_approval => 'manual off',
    extra_certs_root => 'on off',
);

for my $name (sort keys %values) {
    my ($first, $second) = split ' ', $values{$name};

    refused('ca', <<"_EOC_");
$name;                     => invalid number of arguments in "$name" directive
$name $first $second;      => invalid number of arguments in "$name" directive
$name $first; $name $second;   => "$name" directive is duplicate
$name nonsense;            => invalid value "nonsense"
$name ${first}x;           => invalid value "${first}x"
$name "";                  => invalid value ""
_EOC_

    accepted('ca', "$name $first;\n$name $second;\n");
}



=== times
--- test
for my $name (qw(time_window transaction_memory confirm_timeout
                 approval_timeout check_after))
{
    refused('ca', <<"_EOC_");
$name;                     => invalid number of arguments in "$name" directive
$name 1h 1h;               => invalid number of arguments in "$name" directive
$name 1h; $name 1h;        => "$name" directive is duplicate
$name soon;                => "$name" directive invalid value
$name -1h;                 => "$name" directive invalid value
$name "";                  => "$name" directive invalid value
$name 5000d;               => "$name" is 432000000000, but has to be \@begin
_EOC_
}

refused('ca', <<'_EOC_');
confirm_timeout off;        => "confirm_timeout" directive invalid value
confirm_timeout 0;          => "confirm_timeout" is 0, but has to be @begin
confirm_timeout 999ms;      => "confirm_timeout" is 999, but has to be @begin
transaction_memory 59s;     => "transaction_memory" is 59000 @begin
transaction_memory 119m;    => "transaction_memory" has to be at least @begin
time_window 61m;            => "transaction_memory" has to be at least @begin
time_window off; time_window 1h;  => "time_window" directive is duplicate
time_window 1h; time_window off;  => "time_window" directive
time_window off; time_window off; => "time_window" directive
_EOC_

accepted('ca', <<'_EOC_');
time_window off; transaction_memory 1m;
time_window 5m; transaction_memory 10m;
time_window 1d; transaction_memory 2d;
conformance rfc9483; transaction_memory 10m;
confirm_timeout 1s;
confirm_timeout 7d;
_EOC_



=== sizes and numbers
--- test
my %limits = (
    max_message_size => [1024, 16 * 1024 * 1024, 'sixteen', '-1', '1g1'],
    max_requests => [1, 64, 'x', '-1', '1k'],
    max_iterations => [100, 10000000, 'x', '-1', '1k'],
    refusal_signatures => [0, 100000, 'x', '-1', '1k'],
);

for my $name (sort keys %limits) {
    my ($min, $max, @wrong) = @{$limits{$name}};

    refused('ca', <<"_EOC_");
$name;                     => invalid number of arguments in "$name" directive
$name $min $max;           => invalid number of arguments in "$name" directive
$name $min; $name $max;    => "$name" directive is duplicate
$name "";                  => "$name" directive invalid
_EOC_

    refused('ca', "$name $_; => \"$name\" directive invalid") for @wrong;
    accepted('ca', "$name $min;\n$name $max;\n");

    my ($status, $out);

    for my $value ($max + 1, $min - 1) {
        next if $value < 0;

        ($status, $out) = CMPConf::nginx_t('ca', "$name $value;");
        is($status, 1, "$name $value is refused");
        like($out, qr/\[emerg\] .* in .*:\d+$/m, "$name $value, with a line");
    }
}

accepted('ca', "max_message_size 64k;\nmax_message_size 1m;\n");



=== crl
--- test
refused('ca', <<'_EOC_');
crl;                         => invalid number of arguments in "crl" directive
crl 7d;                      => invalid parameter "7d"
crl lifetime=;               => invalid parameter "lifetime="
crl lifetime=x;              => invalid parameter "lifetime=x"
crl lifetime=0;              => invalid parameter "lifetime=0"
crl lifetime=59s;            => "crl lifetime" is 59000 @begin
crl refresh=;                => invalid parameter "refresh="
crl refresh=-1d;             => invalid parameter "refresh=-1d"
crl refresh=999ms;           => invalid parameter "refresh=999ms"
crl refresh=8d;              => "crl refresh" is 691200000, but @begin
crl lifetime=1h;             => "crl refresh" is 86400000, but @begin
crl lifetime=7d foo=bar;     => invalid parameter "foo=bar"
crl lifetime=7d lifetime=8d; => duplicate parameter "lifetime"
crl url=;                    => invalid URL ""
crl url=pki.example;         => invalid URL "pki.example"
crl url=file:///a;           => invalid URL "file:///a"
crl url=http://a\"b/;        => a character that a URI may not have
crl url=http:///a.crl;       => it has no host
crl lifetime=7d; crl lifetime=7d;  => "crl" directive is duplicate
crl delta=;                  => invalid parameter "delta="
crl delta=0;                 => invalid parameter "delta=0"
crl delta=4d;                => "crl delta" is 345600000, but @begin
crl delta_url=http://a/b;    => "crl delta_url" needs "delta" @begin
crl delta=1h delta_url=a;    => invalid URL "a"
crl partitions=;             => invalid parameter "partitions="
crl partitions=0;            => invalid parameter "partitions=0"
crl partitions=1025;         => invalid parameter "partitions=1025"
crl partitions=2;            => "crl partitions" needs a "partition_url" @begin
crl partition_url=http://a/b;    => no "$partition" in "http://a/b"
crl partition_url=$partition;    => invalid URL "$partition"
crl delta=1h delta_url=http://a/$partition;   => there is no "partition_url" @begin
crl delta=1h delta_url=http://a/b partition_url=http://a/$partition;  => no "$partition" in "delta_url" @begin
crl publish_on_revoke=1;     => invalid parameter "publish_on_revoke=1"
_EOC_

accepted('ca', <<'_EOC_');
crl lifetime=1m refresh=1s;
crl lifetime=30d refresh=30d url=http://pki.example/devices.crl;
crl url=https://pki.example/devices.crl;
crl delta=1h publish_on_revoke;
crl delta=1h delta_url=http://pki.example/delta.crl;
crl partitions=1024 partition_url=http://pki.example/$partition.crl;
crl partition_url=http://pki.example/$partition.crl;
crl delta=1h delta_url=http://a/d$partition partitions=2 partition_url=http://a/$partition;
_EOC_



=== thread_pool
--- test
refused('ca', <<'_EOC_');
thread_pool;                 => invalid number of arguments in "thread_pool"
thread_pool a b c;           => invalid number of arguments in "thread_pool"
thread_pool nosuch;          => unknown thread pool "nosuch"
thread_pool auto 5;          => invalid parameter "5"
thread_pool auto queue=;     => invalid parameter "queue="
thread_pool auto queue=0;    => invalid parameter "queue=0"
thread_pool auto queue=-1;   => invalid parameter "queue=-1"
thread_pool auto queue=65537;    => invalid parameter "queue=65537"
thread_pool auto size=5;     => invalid parameter "size=5"
thread_pool auto; thread_pool off;   => "thread_pool" directive is duplicate
_EOC_

accepted('ca', <<'_EOC_');
thread_pool auto;
thread_pool off;
thread_pool default;
thread_pool auto queue=1;
thread_pool off queue=65536;
_EOC_

accepted('main', "thread_pool cmp threads=1;\nthread_pool other threads=1;\n");



=== cmp_pass and cmp_crl
--- test
for my $name (qw(cmp_pass cmp_crl)) {
    refused('location', <<"_EOC_");
$name;                      => invalid number of arguments in "$name"
$name nosuch;               => unknown cmp_ca "nosuch"
$name devices; $name devices;   => "$name" directive is duplicate
$name devices; return 204; $name devices; => "$name" directive is duplicate
proxy_pass http://127.0.0.1; $name devices; => has another handler
if (\$arg_x) { $name devices; }     => "$name" directive is not allowed here
limit_except POST { $name devices; } => "$name" directive is not allowed here
_EOC_

    refused('server', <<"_EOC_");
$name devices;                    => "$name" directive is not allowed here
location \@name { $name devices; } => "$name" cannot be used in a named
_EOC_

    refused('http', "$name devices; => \"$name\" directive is not allowed");
    refused('main', "$name devices; => \"$name\" directive is not allowed");

    accepted('server', <<"_EOC_");
location = /x { $name devices; }
location ^~ /x/ { $name devices; }
location /x/ { $name devices; location /x/y { return 204; } }
location /x/ { $name devices; if (\$arg_x) { return 403; } }
location /x/ { $name devices; limit_except POST { deny all; } }
_EOC_
}

refused('location', <<'_EOC_');
cmp_pass devices x;              => invalid number of arguments in "cmp_pass"
cmp_pass a b c;                  => invalid number of arguments in "cmp_pass"
cmp_crl a b c;                   => invalid parameter "b"
cmp_pass devices; cmp_crl devices;   => has another handler
cmp_crl devices; cmp_pass devices;   => has another handler
cmp_crl devices pem;             => invalid parameter "pem"
cmp_crl devices format=;         => invalid parameter "format="
cmp_crl devices format=PEM;      => invalid parameter "format=PEM"
cmp_crl devices format=pem x;    => invalid parameter "x"
cmp_crl devices format=pem format=der;  => duplicate parameter "format"
cmp_crl devices delta;           => makes no delta CRLs
cmp_crl devices delta=1;         => invalid parameter "delta=1"
cmp_crl devices partition=1;     => has no partitions
cmp_crl devices partition=;      => invalid parameter "partition="
cmp_crl devices previous=1;      => has no such previous key
cmp_crl devices previous=0;      => invalid parameter "previous=0"
cmp_crl devices previous=x;      => invalid parameter "previous=x"
_EOC_

refused('server', 'location ~ ^/x { cmp_pass devices; } => "cmp_pass" cannot '
                  . 'be used in a named');
accepted('server', 'location ~ ^/x { cmp_crl devices; }');

refused('http', <<'_EOC_');
cmp_crl_cache;                       => invalid number of arguments in "cmp_crl_cache"
cmp_crl_cache a 1;                   => invalid number of arguments in "cmp_crl_cache"
cmp_crl_cache a; cmp_crl_cache b;    => "cmp_crl_cache" directive is duplicate
_EOC_

accepted('http', "cmp_crl_cache ${\tmp('cache')};");

accepted('location', <<'_EOC_');
cmp_crl devices;
cmp_crl devices format=der;
cmp_crl devices format=pem;
_EOC_



=== OCSP
--- test
refused('ca', <<'_EOC_');
ocsp;                                  => invalid number of arguments in "ocsp"
ocsp lifetime=0;                       => invalid parameter "lifetime=0"
ocsp url=nowhere;                      => "nowhere"
ocsp responder=other;                  => invalid parameter "responder=other"
ocsp responder=ca responder=ca;        => "responder"
ocsp lifetime=1h; ocsp lifetime=1h;    => "ocsp" directive is duplicate
ocsp responder_validity=1d;            => "responder_validity=1d" needs "responder=delegated"
ocsp responder=ca responder_key=ed25519; => "responder_key=ed25519" needs "responder=delegated"
ocsp responder=delegated responder_validity=9s; => invalid parameter "responder_validity=9s"
ocsp responder=delegated responder_key=ec; => "ec:" needs one of the curves
ocsp responder=delegated responder_key=x25519; => "x25519" is no kind of key that one can be made of to sign with
ocsp responder=delegated responder_key=rsa:2048-4096; => "rsa:2048-4096" is no kind of key
ocsp responder=delegated;              => "responder=delegated" needs "key=" in "cmp_store" @begin
_EOC_

accepted('ca', <<'_EOC_');
ocsp lifetime=2h responder=ca;
ocsp url=http://a.example/ocsp;
_EOC_
