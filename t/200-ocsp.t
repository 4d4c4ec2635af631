# Copyright (C) ngx_http_cmp_module contributors
#
# OCSP: what `openssl ocsp`, `ocsptool` and nginx's own stapling say of the
# certificates of the CA, and what is kept of the answers.

use lib 't/lib';
use CMPTest;
use CMPCrl;
use CMPRaw;
use CMPStaple;
use CMPWait;
use MIME::Base64;

master_on();
workers(2);
own_cluster();
credential(reference => 'device1', secret => 'insecure');

our $http = default_http_config(ca => 'crl url=http://a.example/a.crl;');
our $locations = default_config() . "location /ocsp { cmp_ocsp devices; }\n";

sub serial_of {
    return sql("SELECT encode(serial, 'hex') FROM cmp.certificate
                WHERE subject = 'CN=$_[0]' ORDER BY serial DESC LIMIT 1");
}

# what `openssl ocsp` says, which verifies the answer

sub ocsp {
    my ($cert, @more) = @_;
    my ($status, $out) = execute('openssl', 'ocsp', '-issuer', pki('ca.pem'),
        '-CAfile', pki('root.pem'), '-verify_other', pki('ca.pem'), '-cert',
        $cert, '-url', "http://127.0.0.1:${\port()}/ocsp", '-no_nonce',
        '-timeout', 5, @more);

    return $out;
}

# the request as a file, and as DER

sub ask {
    my ($cert, @more) = @_;

    execute('openssl', 'ocsp', '-issuer', pki('ca.pem'), '-cert', $cert,
            '-no_nonce', '-reqout', tmp('request.der'), @more);

    return CMPTest::slurp(tmp('request.der'));
}

sub produced {
    my $r = shift;

    open my $fh, '>', tmp('answer.der') or die;
    binmode $fh;
    print $fh $r->{body};
    close $fh;

    my ($status, $out) = execute('openssl', 'ocsp', '-respin',
        tmp('answer.der'), '-noverify', '-text');

    return $out;
}

run_tests();

__DATA__

=== good, revoked, unknown
--- http_config eval: $main::http
--- config eval: $main::locations
--- test
my ($cert, $key) = main::enrol('first');
my $out = main::ocsp($cert);

like($out, qr/Response verify OK/, 'verified');
like($out, qr/first.pem: good/, 'good');

for my $hash (qw(sha1 sha256 sha384 sha512)) {
    my ($status, $text) = execute('openssl', 'ocsp', "-$hash", '-issuer',
        pki('ca.pem'), '-CAfile', pki('root.pem'), '-verify_other',
        pki('ca.pem'), '-cert', $cert, '-url',
        "http://127.0.0.1:${\port()}/ocsp", '-no_nonce');
    like($text, qr/first.pem: good/, "good: $hash") or diag($text);
}

my ($status, $text) = client('rr', '-cert', $cert, '-key', $key, '-oldcert',
                             $cert, '-revreason', 1);
is($status, 0, 'rr') or diag($text);

# at once, although there was an answer before

$out = main::ocsp($cert);
like($out, qr/first.pem: revoked/, 'revoked');
like($out, qr/Reason: keyCompromise/, 'reason');
like($out, qr/Revocation Time: /, 'time');

# without a reason

($cert, $key) = main::enrol('second');
client('rr', '-cert', $cert, '-key', $key, '-oldcert', $cert);
$out = main::ocsp($cert);
like($out, qr/second.pem: revoked/, 'revoked');
unlike($out, qr/Reason:/, 'no reason');

# never issued, and not yet confirmed

$out = main::ocsp($cert, '-serial', '0x4000112233445566778899aabbccddeeff001122');
like($out, qr/^0x4000112233445566778899aabbccddeeff001122: unknown/m,
     'never issued');

sql("UPDATE cmp.certificate SET state = 0 WHERE subject = 'CN=second'");
main::enrol('third');
sql("UPDATE cmp.certificate SET state = 0 WHERE subject = 'CN=third'");
like(main::ocsp(tmp('third.pem')), qr/third.pem: unknown/, 'not confirmed');
sql("UPDATE cmp.certificate SET state = 1 WHERE subject = 'CN=third'");
like(main::ocsp(tmp('third.pem')), qr/third.pem: good/, 'confirmed');



=== several in one, a nonce
--- http_config eval: $main::http
--- config eval: $main::locations
--- test
main::enrol($_) for qw(a b);
my $out = main::ocsp(tmp('a.pem'), '-cert', tmp('b.pem'));
like($out, qr/a.pem: good.*b.pem: good/s, 'both');

my ($status, $text) = execute('openssl', 'ocsp', '-issuer', pki('ca.pem'),
    '-CAfile', pki('root.pem'), '-verify_other', pki('ca.pem'), '-cert',
    tmp('a.pem'), '-url', "http://127.0.0.1:${\port()}/ocsp", '-nonce');
like($text, qr/a.pem: good/, 'with a nonce');
unlike($text, qr/WARNING/, 'it is in the answer') or diag($text);

my $der = main::ask(tmp('a.pem'), '-nonce');
my $r = http('POST', '/ocsp', $der, 'Content-Type' => 'application/ocsp-request');
like($r->{headers}{'cache-control'} // '', qr/no-store/, 'not to be kept');

# of another CA

($status, $text) = execute('openssl', 'ocsp', '-issuer', pki('root.pem'),
    '-cert', pki('ca.pem'), '-url', "http://127.0.0.1:${\port()}/ocsp",
    '-no_nonce', '-noverify');
like($text, qr/unauthorized/i, 'another CA') or diag($text);



=== ocsptool of GnuTLS
--- http_config eval: $main::http
--- config eval: $main::locations
--- test
my ($cert) = main::enrol('gnutls');
my ($status, $out) = execute('ocsptool',
    "--ask=http://127.0.0.1:${\port()}/ocsp", '--load-cert', $cert, '--load-issuer',
    pki('ca.pem'), '--load-signer', pki('ca.pem'), '--nonce');

like($out, qr/good/i, 'good') or diag($out);
is($status, 0, 'exit code') or diag($out);



=== GET, and what may be kept
--- http_config eval: $main::http
--- config eval: $main::locations
--- test
my ($cert) = main::enrol('get');
my $base64 = encode_base64(main::ask($cert), '');
my $escaped = $base64 =~ s{([+/=])}{sprintf '%%%02X', ord $1}ger;
my $r = http('GET', "/ocsp/$escaped");

is($r->{status}, 200, 'escaped');
is($r->{headers}{'content-type'}, 'application/ocsp-response', 'type');
is($r->{headers}{'content-length'}, length $r->{body}, 'length');
like($r->{headers}{'cache-control'}, qr/^max-age=3\d\d\d, public, /, 'max-age');
ok($r->{headers}{$_}, $_) for qw(etag expires last-modified);
like(main::produced($r), qr/Cert Status: good/, 'good');

my $plain = http('GET', "/ocsp/$base64");

is($plain->{body}, $r->{body}, 'as it is: the same answer, not signed again');

my $head = http('HEAD', "/ocsp/$escaped");
is($head->{status}, 200, 'HEAD');
is($head->{body}, '', 'HEAD: no body');
is($head->{headers}{'content-length'}, length $r->{body}, 'HEAD: length');

my $same = http('GET', "/ocsp/$escaped", '',
                'If-None-Match' => $r->{headers}{etag});
is($same->{status}, 304, 'If-None-Match');
$same = http('GET', "/ocsp/$escaped", '',
             'If-Modified-Since' => $r->{headers}{'last-modified'});
is($same->{status}, 304, 'If-Modified-Since');

for my $method (qw(PUT DELETE)) {
    my $r = http($method, "/ocsp/$escaped", 'x');
    is($r->{status}, 405, $method);
    is($r->{headers}{allow}, 'GET, HEAD, POST', "$method: Allow");
}

is(http('GET', '/ocsp')->{status}, 404, 'no request');
is(http('GET', '/ocsp/')->{status}, 404, 'an empty one');



=== malformed
--- http_config eval: $main::http
--- config eval: $main::locations
--- test
my ($cert) = main::enrol('malformed');
my $der = main::ask($cert);

for my $case (['', 'empty'], ['x', 'junk'], [$der . 'x', 'trailing'],
              [substr($der, 0, -1), 'cut'], ["\x30\x00", 'nothing in it'],
              ["\x30\x04\x30\x02\x30\x00", 'no certificate'],
              ["\x30\x80" x 1000, 'deep'])
{
    my ($body, $name) = @$case;
    my $r = http('POST', '/ocsp', $body,
                 'Content-Type' => 'application/ocsp-request');

    is($r->{status}, 200, "$name: 200");
    is(unpack('H*', $r->{body}), '30030a0101', "$name: malformedRequest");
    is($r->{headers}{'cache-control'}, 'no-store', "$name: not to be kept");
}

my $r = http('POST', '/ocsp', 'x' x 20000);
is($r->{status}, 413, 'too large');
is(unpack('H*', http('GET', '/ocsp/@@@')->{body}), '30030a0101', 'GET');

# seventeen in one

my @certs = map { ('-serial', $_) } 1 .. 17;
my ($status, $out) = execute('openssl', 'ocsp', '-issuer', pki('ca.pem'),
    @certs, '-no_nonce', '-reqout', tmp('many.der'));
$r = http('POST', '/ocsp', CMPTest::slurp(tmp('many.der')));
is(unpack('H*', $r->{body}), '30030a0101', 'too many');



=== hold and release, by cmpctl
--- http_config eval: $main::http
--- config eval: $main::locations
--- test
my ($cert) = main::enrol('held');
my $serial = main::serial_of('held');

like(main::ocsp($cert), qr/good/, 'good');

# another program changes the store: the worker that polls sees it

cmpctl('certificate', 'hold', $serial);
ok(wait_for(sub { main::ocsp($cert) =~ /revoked.*certificateHold/s }, 10),
   'on hold');
cmpctl('certificate', 'release', $serial);
ok(wait_for(sub { main::ocsp($cert) =~ /: good/ }, 10), 'released');
cmpctl('certificate', 'revoke', '--reason', 'superseded', $serial);
ok(wait_for(sub { main::ocsp($cert) =~ /revoked.*superseded/s }, 10),
   'revoked');



=== two workers share answers
--- http_config eval: $main::http
--- config eval: $main::locations
--- test
my ($cert) = main::enrol('shared');
my $escaped = encode_base64(main::ask($cert), '')
              =~ s{([+/=])}{sprintf '%%%02X', ord $1}ger;
my %bodies = map { http('GET', "/ocsp/$escaped")->{body} => 1 } 1 .. 8;

is(scalar keys %bodies, 1, 'signed once');



=== another node sees what this one commits, and the other way round
--- http_config eval: $main::http
--- config eval: $main::locations
--- test
my ($cert, $key) = main::enrol('node');
my $url = '/ocsp/' . encode_base64(main::ask($cert), '')
                     =~ s{([+/=])}{sprintf '%%%02X', ord $1}ger;

sub there {
    local $CMPTest::Port = $CMPTest::Port2;

    return main::produced(http('GET', $_[0]));
}

ok(node($CMPTest::Port2), 'another node');
ok(wait_for(sub { there($url) =~ /Cert Status: good/ }, 10), 'good there');

my ($status, $out) = client('rr', '-cert', $cert, '-key', $key, '-oldcert',
                            $cert, '-revreason', 5);
is($status, 0, 'rr here') or diag($out);

# it looks for changes four times a second

my $from = Time::HiRes::time();

ok(wait_for(sub { there($url) =~ /Cert Status: revoked/ }, 10),
   'revoked there');
note(sprintf 'after %.2f s', Time::HiRes::time() - $from);
like(there($url), qr/cessationOfOperation/, 'with the reason');
unlike(node_stop(), qr/\[(?:alert|emerg)\]/, 'no [alert] there');



=== a worker that is still connecting makes nobody try later
--- http_config eval: $main::http
--- config eval: $main::locations
--- test
my ($cert) = main::enrol('early');
my $url = '/ocsp/' . encode_base64(main::ask($cert), '')
                     =~ s{([+/=])}{sprintf '%%%02X', ord $1}ger;

# it cannot register its CA as long as somebody has the table

lock_table('ca');
ok(node($CMPTest::Port2), 'another node');

my $sock = do {
    local $CMPTest::Port = $CMPTest::Port2;

    send_to("GET $url HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
};

ok(!readable($sock, 0.3), 'no answer yet');
unlock();
like(main::produced(answer($sock)), qr/Cert Status: good/, 'but then');

unlike(node_stop(), qr/\[(?:alert|emerg)\]/, 'no [alert] there');



=== the database is away
--- http_config eval: $main::http
--- config eval: $main::locations
--- test
my ($cert) = main::enrol('away');
my ($other) = main::enrol('away2');
my $url = sub { '/ocsp/' . encode_base64(main::ask($_[0]), '')
                =~ s{([+/=])}{sprintf '%%%02X', ord $1}ger };
my $before = http('GET', $url->($cert));

like(main::produced($before), qr/good/, 'good');

cluster('stop', 'immediate');

my $r = http('GET', $url->($cert));
is($r->{body}, $before->{body}, 'the answer that there is');
like($r->{headers}{'cache-control'}, qr/^max-age=3\d\d\d/, 'max-age');

$r = http('GET', $url->($other));
is(unpack('H*', $r->{body}), '30030a0103', 'none: tryLater');
is($r->{headers}{'cache-control'}, 'no-store', 'not to be kept');

cluster('start');
ok(wait_for(sub { main::ocsp($other) =~ /good/ }, 10), 'it is back');



=== stapling by nginx
--- http_config eval: $main::http . main::staple_include()
--- config eval: $main::locations
--- test
main::staple(main::enrol('staple'));
