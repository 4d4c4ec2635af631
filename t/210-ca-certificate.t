# Copyright (C) ngx_http_cmp_module contributors
#
# The certificate of the CA at the URL that stands in what it issues.

use lib 't/lib';
use CMPTest;
use CMPConf;

credential(reference => 'device1', secret => 'insecure');

our $locations = default_config() . <<'_EOC_';
location = /ca.cer { cmp_ca_certificate devices; }
location = /ca.pem { cmp_ca_certificate devices format=pem; }
location = /ca.p7c { cmp_ca_certificate devices format=pkcs7; }
_EOC_

sub save {
    my ($name, $bytes) = @_;

    open my $fh, '>', tmp($name) or die;
    binmode $fh;
    print $fh $bytes;
    close $fh;

    return tmp($name);
}

sub enrol {
    my ($name, @more) = @_;

    my ($status, $out) = client('ir', '-ref', 'device1', '-secret',
        'pass:insecure', '-subject', "/CN=$name", '-newkey', newkey(),
        '-certout', tmp("$name.pem"), '-implicit_confirm', @more);
    is($status, 0, "a certificate for $name") or diag($out);

    return (execute('openssl', 'x509', '-in', tmp("$name.pem"), '-noout',
                    '-text'))[1];
}

run_tests();

__DATA__

=== DER, PEM, PKCS#7
--- config eval: $main::locations
--- test
my %type = ('ca.cer' => 'application/pkix-cert',
            'ca.pem' => 'application/x-pem-file',
            'ca.p7c' => 'application/pkcs7-mime; smime-type=certs-only');
my %r = map { $_ => http('GET', "/$_") } keys %type;

for my $name (sort keys %r) {
    my $h = $r{$name}{headers};

    is($r{$name}{status}, 200, "$name: status");
    is($h->{'content-type'}, $type{$name}, "$name: type");
    is($h->{'content-length'}, length $r{$name}{body}, "$name: length");
    is($h->{'cache-control'}, 'max-age=86400', "$name: Cache-Control");
    ok($h->{$_}, "$name: $_") for qw(etag last-modified);

    my $same = http('GET', "/$name", '', 'If-None-Match' => $h->{etag});
    is($same->{status}, 304, "$name: 304");

    my $head = http('HEAD', "/$name");
    is($head->{body}, '', "$name: HEAD");
    is($head->{headers}{etag}, $h->{etag}, "$name: HEAD, ETag");

    my $post = http('POST', "/$name", 'x');
    is($post->{status}, 405, "$name: POST");
    is($post->{headers}{allow}, 'GET, HEAD', "$name: Allow");
}

my ($status, $pem) = execute('openssl', 'x509', '-inform', 'DER', '-in',
    main::save('ca.cer', $r{'ca.cer'}{body}));
my $there = CMPTest::slurp(pki('ca.pem'));

is($pem, $there, 'DER is the certificate');
is($r{'ca.pem'}{body}, $there, 'PEM: without the root');

my ($rc, $out) = execute('openssl', 'pkcs7', '-inform', 'DER', '-in',
    main::save('ca.p7c', $r{'ca.p7c'}{body}), '-print_certs');
is($rc, 0, 'PKCS#7') or diag($out);
like($out, qr/subject=O ?= ?Example, CN ?= ?Example Device CA/, 'has it');
is(() = $out =~ /BEGIN CERTIFICATE/g, 1, 'and no other');



=== in certificates: the URLs of the CA
--- http_config eval
main::default_http_config(ca => 'ocsp url=http://pki.example/ocsp;
    ca_issuers_url http://pki.example/ca.cer http://b.example/ca.cer;
    crl url=http://pki.example/a.crl;')
--- test
my $text = main::enrol('urls');

like($text, qr{Authority \s Information \s Access: \s+
               OCSP \s - \s URI:http://pki.example/ocsp \s+
               CA \s Issuers \s - \s URI:http://pki.example/ca.cer \s+
               CA \s Issuers \s - \s URI:http://b.example/ca.cer}x, 'AIA');
like($text, qr{CRL \s Distribution \s Points: \s+ Full \s Name: \s+
               URI:http://pki.example/a.crl}x, 'CDP');



=== a profile has its own, each kind for itself
--- http_config eval
main::default_http_config(ca => 'ocsp url=http://pki.example/ocsp;
    ca_issuers_url http://pki.example/ca.cer;',
    profile => 'ocsp_url http://profile.example/ocsp;')
--- test
my $text = main::enrol('own');

like($text, qr{OCSP - URI:http://profile.example/ocsp}, 'OCSP');
unlike($text, qr{URI:http://pki.example/ocsp}, 'not that of the CA');
like($text, qr{CA Issuers - URI:http://pki.example/ca.cer}, 'CA Issuers');



=== settings
--- test
refused('location', <<'_EOC_');
cmp_ca_certificate;               => invalid number of arguments
cmp_ca_certificate nosuch;        => unknown cmp_ca "nosuch"
cmp_ca_certificate devices x;     => invalid parameter "x"
cmp_ca_certificate devices format=p12; => invalid parameter "format=p12"
cmp_ca_certificate devices previous=0; => invalid parameter "previous=0"
cmp_ca_certificate devices previous=1; => has no such previous key
cmp_ca_certificate devices; cmp_ca_certificate devices; => is duplicate
cmp_ca_certificate devices; cmp_pass devices; => has another handler
cmp_ocsp;                         => invalid number of arguments
cmp_ocsp devices x;               => invalid number of arguments
cmp_ocsp nosuch;                  => unknown cmp_ca "nosuch"
cmp_ocsp devices; cmp_ocsp devices;    => is duplicate
_EOC_

refused('ca', <<'_EOC_');
ocsp;                             => invalid number of arguments
ocsp x;                           => invalid parameter "x"
ocsp lifetime=0;                  => invalid parameter "lifetime=0"
ocsp lifetime=1s;                 => "ocsp lifetime" is 1000 @begin
ocsp url=x;                       => "x"
ocsp url=http://a.example; ocsp lifetime=1h; => "ocsp" directive is duplicate
ca_issuers_url;                   => invalid number of arguments
ca_issuers_url x;                 => "x"
_EOC_

refused('http', <<'_EOC_');
cmp_ocsp_cache;                   => invalid number of arguments
cmp_ocsp_cache x;                 => invalid value
cmp_ocsp_cache 1k;                => is too small
cmp_ocsp_cache 1m; cmp_ocsp_cache off; => is duplicate
_EOC_

accepted('location', <<'_EOC_');
cmp_ca_certificate devices format=der;
cmp_ca_certificate devices format=pkcs7;
cmp_ocsp devices;
_EOC_

accepted('ca', <<'_EOC_');
ocsp url=http://a.example/ocsp lifetime=10m;
ca_issuers_url http://a.example/a.cer http://b.example/a.cer;
_EOC_

accepted('http', <<'_EOC_');
cmp_ocsp_cache off;
cmp_ocsp_cache 64k;
_EOC_
