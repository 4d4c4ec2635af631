# Copyright (C) ngx_http_cmp_module contributors
#
# The location of a CRL: what it serves, when there is a new one, and what
# happens while the database is away.

use lib 't/lib';
use CMPTest;
use CMPRaw;
use CMPWait;

own_cluster();
credential(reference => 'device1', secret => 'insecure');

our $uri = '/crl/devices.crl';

my ($parameter, $directive) = http2();

our $ways = default_config() . <<'_EOC_';
location = /file.crl       { sendfile on; cmp_crl devices; }
location = /memory.crl     { sendfile off; cmp_crl devices; }
location = /compressed.crl { sendfile on; gzip on; gzip_types *;
                             cmp_crl devices; }
_EOC_

our $tls = default_http_config(http => <<"_EOC_");
server {
    listen 127.0.0.1:${\CMPTest::expand('%%PORT2%%')}$parameter;
    listen 127.0.0.1:${\tls_port()} ssl$parameter;
    $directive

    ssl_certificate      ${\pki('tls-chain.pem')};
    ssl_certificate_key  ${\pki('tls.key')};

    $ways
}
_EOC_

sub slurp { return CMPTest::slurp(@_) }

sub save {
    my ($name, $bytes) = @_;

    open my $fh, '>', tmp($name) or die;
    binmode $fh;
    print $fh $bytes;
    close $fh;

    return tmp($name);
}

# the CRL that is served now: number, text, response

sub fetch {
    my $r = http('GET', $_[0] // $uri);
    my ($status, $out) = execute('openssl', 'crl', '-inform', 'DER', '-in',
        save('now.crl', $r->{body}), '-noout', '-text', '-crlnumber');
    my ($number) = $out =~ /crlNumber=0x([0-9A-F]+)/;

    return (hex($number // -1), $out, $r);
}

# a confirmed certificate: its file and serial number, in upper case

sub enrol {
    my $name = shift;
    my $key = newkey();
    my ($status, $out) = client('ir', '-ref', 'device1', '-secret',
        'pass:insecure', '-subject', "/CN=$name", '-newkey', $key,
        '-certout', tmp("$name.pem"), '-implicit_confirm', @_);

    is($status, 0, "a certificate for $name") or diag($out);

    return (tmp("$name.pem"), $key, uc sql(
        "SELECT encode(serial, 'hex') FROM cmp.certificate
         WHERE subject = 'CN=$name'"));
}

sub verify {
    my ($cert, @args) = @_;

    execute('openssl', 'crl', '-inform', 'DER', '-in', tmp('now.crl'), '-out',
            tmp('now.pem'));

    return execute('openssl', 'verify', '-crl_check', '-CAfile',
        pki('root.pem'), '-untrusted', pki('ca.pem'), '-CRLfile',
        tmp('now.pem'), $cert);
}

run_tests();

__DATA__

=== a CRL
--- config
location = /crl/devices.crl { cmp_crl devices; }
location = /crl/devices.pem { cmp_crl devices format=pem; }
location = /crl/again.crl   { cmp_crl devices format=der; }
--- test
my ($number, $text, $r) = fetch();
my $h = $r->{headers};

is($r->{status}, 200, 'status');
is($h->{'content-type'}, 'application/pkix-crl', 'type');
is($h->{'content-length'}, length $r->{body}, 'length');
like($h->{'cache-control'}, qr/^max-age=(\d+)$/, 'Cache-Control');

my ($age) = $h->{'cache-control'} =~ /(\d+)/;

cmp_ok($age, '<=', 7 * 86400, 'not longer than it is valid');
cmp_ok($age, '>', 7 * 86400 - 60, 'nor much shorter');
ok($h->{etag}, 'ETag');
ok($h->{'last-modified'}, 'Last-Modified');

is($number, 1, 'the first');
like($text, qr/Issuer: .*Example Device CA/, 'issuer');
like($text, qr/No Revoked Certificates/, 'empty');

my ($status, $out) = execute('openssl', 'crl', '-inform', 'DER', '-in',
    tmp('now.crl'), '-noout', '-verify', '-CAfile', pki('ca.pem'));
like($out, qr/verify OK/, 'the signature verifies');

# the same in another form

my $pem = http('GET', '/crl/devices.pem');

is($pem->{status}, 200, 'PEM');
is($pem->{headers}{'content-type'}, 'application/x-pem-file', 'PEM: type');
is($pem->{headers}{'content-length'}, length $pem->{body}, 'PEM: length');
isnt($pem->{headers}{etag}, $h->{etag}, 'PEM: another ETag');
unlike($pem->{body}, qr/^.{65}/m, 'PEM: lines');

execute('openssl', 'crl', '-in', save('x.pem', $pem->{body}), '-outform',
        'DER', '-out', tmp('x.der'));
is(slurp(tmp('x.der')), $r->{body}, 'PEM: the same CRL');

my $again = http('GET', '/crl/again.crl');

is($again->{body}, $r->{body}, 'another location: the same CRL');
is($again->{headers}{etag}, $h->{etag}, 'another location: the same ETag');

# as the operator sees it

($status, $out) = cmpctl('crl', 'show', '--ca', 'devices', '--pem');
is($status, 0, 'cmpctl crl show') or diag($out);
like($out, qr/\Q$pem->{body}\E/, 'the same CRL');



=== methods
--- test
my ($number, $text, $get) = fetch();
my $head = http('HEAD', $uri);

is($head->{status}, 200, 'HEAD');
is($head->{body}, '', 'HEAD: no body');
is($head->{headers}{$_}, $get->{headers}{$_}, "HEAD: $_")
    for qw(content-type content-length etag);
ok($head->{headers}{'last-modified'}, 'HEAD: Last-Modified');

for my $method (qw(POST PUT DELETE OPTIONS)) {
    my $r = http($method, $uri, 'body');

    is($r->{status}, 405, "$method: not allowed");
    is($r->{headers}{allow}, 'GET, HEAD', "$method: Allow");
}

# a body that nobody wants

my @r = responses(raw("GET $uri HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n"
                      . "\r\nxxxxxxxxxGET $uri HTTP/1.1\r\nHost: a\r\n"
                      . "Connection: close\r\n\r\n"));

is(join(' ', map { $_->{status} } @r), '200 200', 'GET with a body');



=== conditions
--- test
my ($number, $text, $get) = fetch();
my ($etag, $modified) = @{$get->{headers}}{qw(etag last-modified)};

sub try { return http('GET', $uri, undef, @_)->{status} }

is(try('If-None-Match' => $etag), 304, 'If-None-Match');
is(try('If-None-Match' => "\"x\", $etag"), 304, 'If-None-Match: a list');
is(try('If-None-Match' => '"x"'), 200, 'If-None-Match: another one');
ok(wait_for(sub {
    $modified = http('GET', $uri)->{headers}{'last-modified'};
    return try('If-Modified-Since' => $modified) == 304;
}, 10), 'If-Modified-Since');
is(try('If-Modified-Since' => 'Thu, 01 Jan 2015 00:00:00 GMT'), 200,
   'If-Modified-Since: older');

my $r = http('GET', $uri, undef, 'If-None-Match' => $etag);
is($r->{body}, '', 'no body');
is($r->{headers}{etag}, $etag, 'but an ETag');



=== several in one second
--- test
my @certs = map { [enrol("second$_")] } 1 .. 3;

for my $cert (@certs) {
    my (undef, undef, $before) = fetch();

    is((cmpctl('certificate', 'revoke', $cert->[2]))[0], 0, 'revoke');

    my $r = http('GET', $uri, undef, 'If-Modified-Since' =>
                 $before->{headers}{'last-modified'});

    is($r->{status}, 200, 'modified');
    isnt($r->{body}, $before->{body}, 'the new one');
}



=== a revocation makes a new one, nothing else does
--- test
my ($cert, $key) = enrol('revoked');
my ($other, undef) = enrol('good');
my ($number, $text, $before) = fetch();

is((verify($cert))[0], 0, 'good as yet');

my ($status, $out) = client('rr', '-cert', $cert, '-key', $key, '-oldcert',
                            $cert, '-revreason', 1);
is($status, 0, 'rr') or diag($out);

my ($next, $crl, $r) = fetch();
my $serial = sql("SELECT upper(encode(serial, 'hex')) FROM cmp.certificate
                  WHERE subject = 'CN=revoked'");

is($next, $number + 1, 'the next number');
isnt($r->{headers}{etag}, $before->{headers}{etag}, 'another ETag');
like($crl, qr/Serial Number: $serial\n/, 'is listed');
like($crl, qr/Key Compromise/, 'with its reason');

($status, $out) = verify($cert);
isnt($status, 0, 'revoked');
like($out, qr/certificate revoked/, 'as it is told');
is((verify($other))[0], 0, 'the other one is good');

is(http('GET', $uri, undef, 'If-None-Match' => $before->{headers}{etag})
   ->{status}, 200, 'If-None-Match with the old one');

is((fetch())[0], $next, 'the same number') for 1 .. 3;
enrol('another');
is((fetch())[0], $next, 'an enrolment is no reason');



=== by the operator: revoked, on hold, released
--- test
my ($cert, $key, $serial) = enrol('held');
my ($first, $text) = fetch();

unlike($text, qr/$serial/, 'not listed');

my ($status, $out) = cmpctl('certificate', 'hold', lc $serial);
is($status, 0, 'hold') or diag($out);

my ($second, $hold) = fetch();

is($second, $first + 1, 'a new one');
like($hold, qr/$serial\n.*\n.*\n.*Reason Code.*\n\s*Certificate Hold/, 'held');
isnt((verify($cert))[0], 0, 'does not verify');

($status, $out) = cmpctl('certificate', 'release', lc $serial);
is($status, 0, 'release') or diag($out);

my ($third, $released) = fetch();

is($third, $second + 1, 'a new one');
unlike($released, qr/$serial/, 'not listed any more');
is((verify($cert))[0], 0, 'verifies');

($status, $out) = cmpctl('certificate', 'revoke', '--reason', 'superseded',
                         '--invalid-since', '2026-01-02', lc $serial);
is($status, 0, 'revoke') or diag($out);

my ($fourth, $revoked) = fetch();

like($revoked, qr/$serial\n.*\n.*\n.*Reason Code.*\n\s*Superseded/, 'revoked');
like($revoked, qr/Invalidity Date:.*\n\s*Jan  2 00:00:00 2026/, 'since when');



=== a certificate that its owner does not want is listed
--- test
my ($status, $out) = client('ir', '-ref', 'device1', '-secret',
    'pass:insecure', '-subject', '/CN=rejected', '-newkey', newkey(),
    '-certout', tmp('rejected.pem'), '-out_trusted', pki('other-root.pem'));
isnt($status, 0, 'rejected');

my $serial = sql("SELECT upper(encode(serial, 'hex')) FROM cmp.certificate
                  WHERE subject = 'CN=rejected'");
my ($number, $text) = fetch();

like($text, qr/$serial/, 'is listed');



=== it is renewed after some time
--- http_config eval
main::default_http_config(ca => 'crl refresh=1s lifetime=1h;')
--- test
my ($number) = fetch();

Time::HiRes::sleep(1.2);

my ($next, $text) = fetch();
my ($from) = $text =~ /Last Update: .* (\d+):/;
my ($until) = $text =~ /Next Update: .* (\d+):/;

is($next, $number + 1, 'a new one');
cmp_ok(($from + 1) % 24, '==', $until, 'valid for an hour');



=== its URL stands in certificates
--- http_config eval
main::default_http_config(ca => 'crl url=http://pki.example/devices.crl;')
--- test
my ($cert) = enrol('url');
my ($status, $out) = execute('openssl', 'x509', '-in', $cert, '-noout',
                             '-ext', 'crlDistributionPoints');

like($out, qr{URI:http://pki\.example/devices\.crl}, 'there it is');



=== many entries
--- test
my $columns = sql("SELECT string_agg(column_name, ', ' ORDER BY column_name)
    FROM information_schema.columns
    WHERE table_schema = 'cmp' AND table_name = 'revocation'
      AND column_name NOT IN ('serial', 'change')");

# 5000 more like one that is there

sql("INSERT INTO cmp.revocation (serial, change, $columns)
     SELECT int8send(n), pg_current_xact_id(), $columns
     FROM generate_series(1, 5000) n,
          (SELECT * FROM cmp.revocation WHERE state <> 1 LIMIT 1) r");

my ($number, $text) = fetch();
my $n = () = $text =~ /Serial Number: /g;
my $rows = sql('SELECT count(*) FROM cmp.revocation WHERE state <> 1');

is($n, $rows, 'all of them');
cmp_ok($n, '>', 5000, 'so many');

my ($status, $out) = execute('openssl', 'crl', '-inform', 'DER', '-in',
    tmp('now.crl'), '-noout', '-verify', '-CAfile', pki('ca.pem'));
like($out, qr/verify OK/, 'the signature verifies');

=== every way to send it
--- http_config eval: $main::tls
--- config eval: $main::ways
--- test
my $der = (fetch())[2]{body};

cmp_ok(length $der, '>', 100_000, 'a large one');

for my $way (qw(file memory compressed)) {
    for my $case (['HTTP/1.1', 'http', '--http1.1'],
                  ['HTTP/2', 'http', '--http2-prior-knowledge'],
                  ['HTTP/1.1 and TLS', 'https', '--http1.1'],
                  ['HTTP/2 and TLS', 'https', '--http2'])
    {
        my ($name, $scheme, @how) = @$case;
        my $port = $scheme eq 'https' ? tls_port()
                   : $name =~ m{/2} ? $CMPTest::Port2 : port();

        # twice in one connection, which curl 7.88 cannot in plain HTTP/2

        my @n = $how[0] =~ /prior/ ? (1) : (1, 2);
        my ($status, $out) = execute('curl', '-sS', '--noproxy', '*', '-k',
            @how, '--compressed', '-w', '%{http_code} ',
            map { ('-o', tmp("$way$_"), "$scheme://127.0.0.1:$port/$way.crl") }
                @n);

        is($out, '200 ' x @n, "$way, $name: 200");
        ok(slurp(tmp("$way$_")) eq $der, "$way, $name: the CRL") for @n;
        unlink tmp("${way}1"), tmp("${way}2");
    }
}

is(open_files(nginx_pid(), 'memfd:cmp_crl'), 1, 'one file for all of them');

# and it is closed when there is another CRL

sql('DELETE FROM cmp.revocation WHERE octet_length(serial) = 8');
sql("UPDATE cmp.crl SET this_update = this_update - interval '2 days'");
isnt((fetch())[2]{body}, $der, 'another one');

is(open_files(nginx_pid(), 'memfd:cmp_crl'), 0, 'no file is left');



=== the database is away: the last one is served until it ends
--- test
my ($number, $text, $r) = fetch();

CMPTest::cluster('stop', 'fast');

for my $n (1 .. 3) {
    my ($now, undef, $again) = fetch();

    is($again->{status}, 200, "time $n: still there");
    is($now, $number, "time $n: the same");
}

CMPTest::cluster('start');
ok(wait_for(sub { error_log() =~ /the database is back/ }, 15),
   'the database is back');

my ($cert, $key, $serial);
ok(wait_for(sub { http('GET', $uri)->{status} == 200 }, 5), 'a CRL');

($cert, $key, $serial) = enrol('back');
cmpctl('certificate', 'revoke', lc $serial);
like((fetch())[1], qr/$serial/, 'and a new one');

# one that ends soon

sql("UPDATE cmp.crl SET next_update = now() + interval '3 s'
     WHERE number = (SELECT max(number) FROM cmp.crl)");



=== the one that ends soon
--- test
my ($number, $text, $r) = fetch();

like($r->{headers}{'cache-control'}, qr/^max-age=[0-3]$/, 'ends soon');

CMPTest::cluster('stop', 'fast');
is((fetch())[2]->{status}, 200, 'served as yet');
Time::HiRes::sleep(3.5);

$r = http('GET', $uri);
is($r->{status}, 503, 'not any longer');
ok($r->{headers}{'retry-after'}, 'Retry-After');



=== the database was away from the beginning
--- test
my $r = http('GET', $uri);

is($r->{status}, 503, 'no CRL');
ok($r->{headers}{'retry-after'}, 'Retry-After');

CMPTest::cluster('start');
ok(wait_for(sub { http('GET', $uri)->{status} == 200 }, 15), 'and back');
