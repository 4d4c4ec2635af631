# Copyright (C) ngx_http_cmp_module contributors
#
# What RFC 9811 and HTTP want of a cmp_pass location: method, type, size,
# bodies in each form, connections, versions of HTTP, URIs.

use lib 't/lib';
use CMPTest;
use CMPRaw;

credential(reference => 'device1', secret => 'insecure');
credential(reference => 'second', secret => 'insecure', profile => 'second');

# a request nobody has sent yet

our $count = 0;

my ($parameter, $directive) = http2();

our $http2 = default_http_config(http => <<"_EOC_");
$directive

server {
    listen 127.0.0.1:${\CMPTest::expand('%%PORT2%%')}$parameter;

    location /pkix/ { cmp_pass devices; }
}
server {
    listen 127.0.0.1:${\tls_port()} ssl$parameter;

    ssl_certificate      ${\pki('tls-chain.pem')};
    ssl_certificate_key  ${\pki('tls.key')};

    location /pkix/ { cmp_pass devices; }
}
_EOC_

our $profiles = default_http_config(ca => 'profile second;', http => <<'_EOC_');
cmp_profile second { validity 1d; key ec:P-256; }
_EOC_

sub fresh {
    $count++;

    return message('ir', '-ref', 'device1', '-secret', 'pass:insecure',
        '-subject', "/CN=http-$count", '-newkey', newkey(),
        '-implicit_confirm', @_);
}

sub answers {
    return responses(raw(@_));
}

sub certificates {
    return sql('SELECT count(*) FROM cmp.certificate');
}

run_tests();

__DATA__

=== methods
--- test
for my $method (qw(GET HEAD PUT DELETE OPTIONS PATCH PROPFIND BREW)) {
    my $r = http($method, '/pkix/');

    is($r->{status}, 405, "$method: not allowed");
    is($r->{headers}{allow}, 'POST', "$method: Allow");
}

# the body of a request that is refused is read and thrown away

my @r = answers(request('/pkix/', 'x' x 20000, METHOD => 'PUT')
                . request('/pkix/', fresh(), Connection => 'close'));

is(scalar @r, 2, 'two answers');
is($r[0]{status}, 405, 'the first is refused');
cmp_ok_answer($r[1], 1, 'the second');



=== a message
--- test
my $r = post('/pkix/', fresh());

cmp_ok_answer($r, 1, 'ir');
is(status($r->{body})->[0], 0, 'accepted');
ok(!exists $r->{headers}{'transfer-encoding'}, 'no chunks');
ok(!exists $r->{headers}{'last-modified'}, 'no Last-Modified');
ok(!exists $r->{headers}{'etag'}, 'no ETag');



=== types
--- test
for my $type ('application/pkixcmp', 'Application/PKIXCMP',
              'application/pkixcmp;charset=binary', 'application/pkixcmp ; a',
              "application/pkixcmp\t", 'application/pkixcmp-poll',
              'application/pkixcmp-poll; a=b', undef)
{
    my $r = post('/pkix/', fresh(), 'Content-Type' => $type);

    cmp_ok_answer($r, 1, $type // 'no type');
}

for my $type ('', 'text/plain', 'application/pkixcmpx', 'application/pkixcm',
              'application/pkix', 'application/pkixcmp,text/plain', ';',
              'application/x-www-form-urlencoded', 'application/pkixcmp/',
              'multipart/form-data; boundary=application/pkixcmp')
{
    my $before = certificates();
    my $r = post('/pkix/', fresh(), 'Content-Type' => $type);

    is($r->{status}, 415, "415 for \"$type\"");
    is(certificates(), $before, 'and nothing was done');
}



=== at the strict level there has to be a type
--- http_config eval
main::default_http_config(ca => 'conformance rfc9483;')
--- test
is(post('/pkix/', fresh(), 'Content-Type' => undef)->{status}, 415, 'no type');
is(post('/pkix/', fresh())->{status}, 200, 'with a type');



=== sizes
--- http_config eval
main::default_http_config(ca => 'max_message_size 2k;')
--- test
my $fits = "\x30" x 2048;
my $over = "\x30" x 2049;

is(post('/pkix/', $fits)->{status}, 400, 'fits');
is(post('/pkix/', $over)->{status}, 413, 'too large');

my @how = ('Content-Length' => undef, 'Transfer-Encoding' => 'chunked');

is(post('/pkix/', chunked(100, $fits), @how)->{status}, 400, 'fits, chunked');
is(post('/pkix/', chunked(100, $over), @how)->{status}, 413,
   'too large, chunked');
is(post('/pkix/', chunked(5000, $over x 20), @how)->{status}, 413,
   'much too large, chunked');
is(post('/pkix/', fresh())->{status}, 200, 'a message');

# refused before it is sent

my $r = post('/pkix/', '', 'Content-Length' => 2049);
is($r->{status}, 413, 'too large, not yet sent');



=== the default size, and the one of nginx
--- config
location /pkix/  { cmp_pass devices; }
location /small/ { cmp_pass devices; client_max_body_size 100; }
location /any/   { cmp_pass devices; client_max_body_size 0; }
--- test
my $fits = "\x30" x (256 * 1024);

is(post('/pkix/', $fits)->{status}, 400, 'fits');
is(post('/pkix/', "${fits}x")->{status}, 413, 'too large');
is(post('/small/', fresh())->{status}, 413, 'client_max_body_size');
is(post('/any/', $fits)->{status}, 400, 'fits, no limit of nginx');
is(post('/any/', "${fits}x")->{status}, 413, 'too large, no limit of nginx');

my @how = ('Content-Length' => undef, 'Transfer-Encoding' => 'chunked');

is(post('/any/', chunked(65536, "${fits}x"), @how)->{status}, 413,
   'too large, chunked, no limit of nginx');



=== bodies that are no message
--- test
my $good = fresh();

my %bodies = (
    'nothing' => '', 'zero' => "\0", 'text' => 'hello', 'html' => '<html>',
    'a sequence' => der(0x30), 'PEM' => "-----BEGIN CMP-----\n",
    'the half' => substr($good, 0, length($good) / 2),
    'all but one octet' => substr($good, 0, -1),
    'one octet more' => "${good}\0", 'twice' => "$good$good",
    'a large length' => "\x30\x84\xff\xff\xff\xff", 'nested' => "\x30\x80" x 999,
);

for my $name (sort keys %bodies) {
    my $r = post('/pkix/', $bodies{$name});

    # behind a whole message the header could be read: a CMP answer

    my $read = $name eq 'one octet more' || $name eq 'twice';

    is($r->{status}, $read ? 200 : 400, "$name: status");
    is($r->{headers}{'content-type'}, 'application/pkixcmp', "$name: type");
    is($r->{headers}{'cache-control'}, 'no-store', "$name: no-store");
    is($r->{headers}{'content-length'}, length $r->{body}, "$name: length");
    is(body($r->{body}), 23, "$name: error");
    is(status($r->{body})->[0], 2, "$name: rejection");
    is(defined header_field($r->{body}, 1), $read, "$name: protection");
}

# without any length

is(post('/pkix/', '', 'Content-Length' => undef)->{status}, 400, 'no length');

# a connection survives it

my @r = answers(request('/pkix/', 'junk')
                . request('/pkix/', $good, Connection => 'close'));

is($r[0]{status}, 400, 'junk');
cmp_ok_answer($r[1], 1, 'a message after it');



=== chunked bodies
--- test
my @how = ('Content-Length' => undef, 'Transfer-Encoding' => 'chunked');

for my $size (1, 7, 100, 100000) {
    my $r = post('/pkix/', chunked($size, fresh()), @how);

    cmp_ok_answer($r, 1, "chunks of $size");
}

is(post('/pkix/', "0\r\n\r\n", @how)->{status}, 400, 'empty');

# with an extension and a trailer

my $body = fresh();
my $text = sprintf "%x;name=value\r\n%s\r\n0\r\nTrailer: x\r\n\r\n",
                   length $body, $body;

cmp_ok_answer(post('/pkix/', $text, @how), 1, 'extension and trailer');



=== a body that comes slowly, octet by octet
--- test
for my $chunks (0, 1) {
    my $body = fresh();
    my $text = request('/pkix/', $chunks ? chunked(1, $body) : $body,
                       'Connection' => 'close', $chunks
                       ? ('Content-Length' => undef,
                          'Transfer-Encoding' => 'chunked') : ());
    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                     PeerPort => port());

    setsockopt($sock, Socket::IPPROTO_TCP(), Socket::TCP_NODELAY(), 1);
    $sock->autoflush(1);

    for my $octet (split //, substr $text, 0, 700, '') {
        print $sock $octet;
        Time::HiRes::sleep(0.0005);
    }

    print $sock $text;

    my $all = do { local $/; <$sock> };
    my ($r) = responses($all);

    cmp_ok_answer($r, 1, $chunks ? 'chunked' : 'with a length');
}



=== bodies in a file, and in a file in part
--- config
client_body_buffer_size 1k;
location /pkix/ { cmp_pass devices; }
location /file/ { cmp_pass devices; client_body_in_file_only clean; }
location /one/  { cmp_pass devices; client_body_in_single_buffer on; }
--- test
my @chunked = ('Content-Length' => undef, 'Transfer-Encoding' => 'chunked');

for my $uri (qw(/pkix/ /file/ /one/)) {

    # a few that fit, some that do not: with extraCerts

    for my $extra (0, 1) {
        my @args = $extra ? (-extracerts => pki('vendor-device-chain.pem'),
                             -extracerts => pki('ca-chain.pem')) : ();
        my $body = fresh(@args);

        cmp_ok(length $body, '>', 1024 * $extra, 'size');
        cmp_ok_answer(post($uri, $body), 1, "$uri, extraCerts: $extra");

        $body = fresh(@args);
        cmp_ok_answer(post($uri, chunked(100, $body), @chunked), 1,
                      "$uri, extraCerts: $extra, chunked");
    }
}

is(post('/file/', '')->{status}, 400, 'empty');

my @left = grep { -f } glob("$ENV{TEST_NGINX_SERVROOT}/client_body_temp/*");

is(scalar @left, 0, 'no file is left');
--- error_log
a client request body is buffered to a temporary file
--- no_error_log
[error]



=== keep-alive
--- test
my @r = answers(join('', map { request('/pkix/', fresh()) } 1 .. 3)
                . request('/pkix/', fresh(), Connection => 'close'));

is(scalar @r, 4, 'four answers');
cmp_ok_answer($r[$_], 1, "answer $_") for 0 .. 3;

is($r[0]{headers}{connection}, 'keep-alive', 'stays open');
is($r[3]{headers}{connection}, 'close', 'is closed');



=== pipelining: answers come in order
--- test
my @names = map { "http-" . ($count + $_) } 1 .. 8;
my @bodies = map { fresh() } @names;

# good ones, junk and refused ones, in one packet

my @texts = map { request('/pkix/', $_) } @bodies;

splice @texts, 2, 0, request('/pkix/', 'junk');
splice @texts, 5, 0, request('/pkix/', 'x' x 3000, METHOD => 'PUT');
splice @texts, 7, 0, request('/pkix/nothing', $bodies[0]);

my @r = answers(join('', @texts) . request('/pkix/', fresh(),
                                           Connection => 'close'));

is(join(' ', map { $_->{status} } @r),
   '200 200 400 200 200 405 200 404 200 200 200 200', 'order');

for my $r (grep { $_->{status} == 200 } @r) {
    my $name = shift @names // last;

    like($r->{body}, qr/\Q$name\E[^0-9]/, "answer for $name");
}



=== openssl cmp keeps the connection
--- http_config eval
main::default_http_config(http =>
    'log_format requests "$connection_requests"; '
    . 'access_log logs/requests.log requests;')
--- cmp
ir -ref device1 -secret pass:insecure -subject /CN=keep-alive
   -newkey %%NEWKEY%% -certout %%TMP%%/cert.pem
--- test
ok(wait_for(sub {
    CMPTest::slurp("$ENV{TEST_NGINX_SERVROOT}/logs/requests.log")
        eq "1\n2\n" }, 5), 'ir and certConf in one');



=== HTTP/1.0
--- test
my @r = answers(request('/pkix/', fresh(), VERSION => '1.0'));

is(scalar @r, 1, 'one answer');
cmp_ok_answer($r[0], 1, 'without keep-alive');
is($r[0]{headers}{connection}, 'close', 'is closed');

@r = answers(request('/pkix/', fresh(), VERSION => '1.0',
                     'Connection' => 'keep-alive')
             . request('/pkix/', fresh(), VERSION => '1.0', 'Host' => undef));

is(scalar @r, 2, 'two answers');
cmp_ok_answer($r[$_], 1, "with keep-alive, answer $_") for 0, 1;
is($r[0]{headers}{connection}, 'keep-alive', 'stays open');
is($r[1]{headers}{connection}, 'close', 'is closed');



=== Expect: 100-continue
--- test
my $body = fresh();
my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => port());

$sock->autoflush(1);
print $sock request('/pkix/', '', 'Content-Length' => length $body,
                    'Expect' => '100-continue', 'Connection' => 'close');

my $go = '';
sysread $sock, $go, 4096;
like($go, qr/^HTTP\/1\.1 100 Continue\r\n/, 'go on');

print $sock $body;

my ($r) = responses(do { local $/; <$sock> });
cmp_ok_answer($r, 1, 'the answer');

# nothing has to be sent that will not be read

for my $with (['METHOD', 'PUT', 405], ['Content-Type', 'text/plain', 415],
              ['Content-Length', 999999, 413])
{
    my ($name, $value, $status) = @$with;
    my ($r) = responses(raw(request('/pkix/', '', 'Content-Length' => 500,
        'Expect' => '100-continue', 'Connection' => 'close', $name => $value)));

    is($r->{status}, $status, "$status and no 100");
}



=== a client that stops in the middle
--- config
client_body_timeout 300ms;
location /pkix/ { cmp_pass devices; }
--- test
my $body = fresh();
my $text = request('/pkix/', $body);
my $all = raw(substr($text, 0, -10), 5);

is($all, '', 'the connection is closed');
cmp_ok_answer(post('/pkix/', $body), 1, 'nothing was done before');



=== HTTP/2
--- http_config eval: $main::http2
--- test
my @curl = ('curl', '-sS', '--noproxy', '*', '-H',
            'Content-Type: application/pkixcmp');

sub file {
    my $file = tmp("h2-$_[0].der");

    open my $fh, '>', $file or die;
    binmode $fh;
    print $fh $_[1];
    close $fh;

    return $file;
}

my $url = "http://127.0.0.1:$CMPTest::Port2/pkix/";
my $tls = 'https://localhost:' . tls_port() . '/pkix/';

for my $case (['plain', $url, '--http2-prior-knowledge'],
              ['TLS', $tls, '--cacert', pki('root.pem')],
              ['HTTP/1.1 over TLS', $tls, '--cacert', pki('root.pem'),
               '--http1.1'])
{
    my ($name, $to, @how) = @$case;
    my $file = file('in', fresh());
    my $version = $name =~ m{/1} ? '1.1' : 2;

    my ($status, $out) = execute(@curl, @how, '--data-binary', "\@$file",
        '-o', tmp('h2-out.der'), '-w', '%{http_code} %{http_version} '
        . '%{content_type} %{size_download} %{header_json}', $to);

    is($status, 0, "$name: curl") or diag($out);
    like($out, qr{^200 \Q$version\E application/pkixcmp}, "$name: 200");
    like($out, qr{"cache-control":\["no-store"\]}, "$name: Cache-Control");

    my ($size) = $out =~ /pkixcmp (\d+)/;

    like($out, qr{"content-length":\["$size"\]}, "$name: Content-Length");
    is(body(CMPTest::slurp(tmp('h2-out.der'))), 1, "$name: ip");
}

# without Content-Length, larger than a window, junk, method

my $file = file('in', fresh());

my ($status, $out) = execute('sh', '-c', 'exec "$@" <' . $file, 'sh', @curl,
    '--http2-prior-knowledge', '-X', 'POST', '-T', '-', '-o',
    tmp('h2-out.der'), '-w', '%{http_code}', $url);
is($out, 200, 'no length');
is(body(CMPTest::slurp(tmp('h2-out.der'))), 1, 'no length: ip');

for my $case ([200000, 400], [262144, 400], [0, 400]) {
    my ($size, $expected) = @$case;

    $file = file('in', "\x30" x $size);

    ($status, $out) = execute(@curl, '--http2-prior-knowledge', '-o',
        '/dev/null', '-w', '%{http_code}', '--data-binary', "\@$file", $url);
    is($out, $expected, "$size octets");
}

# curl takes the end of such a stream for an error

($status, $out) = execute('nghttp', '-nv', '-d', file('in', 'x' x 262145), '-H',
    'content-type: application/pkixcmp', $url);
like($out, qr/:status: 413/, '262145 octets');

($status, $out) = execute(@curl, '--http2-prior-knowledge', '-o', '/dev/null',
    '-w', '%{http_code} %{header_json}', $url);
like($out, qr/^405 .*"allow":\["POST"\]/s, 'GET');



=== many streams in one connection
--- http_config eval: $main::http2
--- test
my $url = 'https://localhost:' . tls_port() . '/pkix/';
my @args;
my $before = certificates();

for my $n (1 .. 12) {
    my $file = tmp("many-$n.der");

    open my $fh, '>', $file or die;
    binmode $fh;
    print $fh fresh();
    close $fh;

    push @args, '--next' if $n > 1;
    push @args, '--cacert', pki('root.pem'), '--noproxy', '*', '-sS',
        '-H', 'Content-Type: application/pkixcmp', '-o', tmp("many-$n.out"),
        '--data-binary', "\@$file", $url;
}

my ($status, $out) = execute('curl', '-Z', @args);

is($status, 0, 'curl') or diag($out);

for my $n (1 .. 12) {
    is(body(CMPTest::slurp(tmp("many-$n.out"))), 1, "stream $n");
}

is(certificates(), $before + 12, 'certificates');

# the same message in many streams: one certificate, one answer

my $file = tmp('same.der');

open my $fh, '>', $file or die;
binmode $fh;
print $fh fresh();
close $fh;

($status, $out) = execute('nghttp', '-m', 10, '-d', $file, '-H',
    'content-type: application/pkixcmp',
    "http://127.0.0.1:$CMPTest::Port2/pkix/");

my $one = substr $out, 0, length($out) / 10;

is($status, 0, 'nghttp') or diag($out);
is(body($one), 1, 'ip');
is($out, $one x 10, 'ten times the same');
is(certificates(), $before + 13, 'one certificate');



=== openssl cmp over TLS
--- http_config eval: $main::http2
--- test
my ($status, $out) = client('ir', '-ref', 'device1', '-secret',
    'pass:insecure', '-subject', '/CN=tls', '-newkey', newkey(), '-certout',
    tmp('tls.pem'), '-server', 'localhost:' . tls_port(), '-tls_used',
    '-tls_trusted', pki('root.pem'));

is($status, 0, 'ir') or diag($out);
like($out, qr/received PKICONF/, 'confirmed');



=== announcements: 403, nothing else
--- test
my $header = CMPRaw::decode(CMPRaw::decode(fresh())->[0][1])->[0][1];
my $cert = tmp('cert.der');
my $crl = tmp('crl.der');

execute('openssl', 'x509', '-in', pki('ca.pem'), '-outform', 'DER', '-out',
        $cert);
execute('openssl', 'crl', '-in', pki('root.crl'), '-outform', 'DER', '-out',
        $crl);

$cert = CMPTest::slurp($cert);
$crl = CMPTest::slurp($crl);

my %bodies = (
    15 => der(0x30, $cert x 3),
    16 => $cert,
    17 => der(0x30, der(2, "\2"), der(0x30, der(0xa4, der(0x30)), der(2, "\1")),
              der(0x18, '20300101000000Z'), der(0x18, '20300101000000Z')),
    18 => der(0x30, $crl),
);

for my $number (sort keys %bodies) {
    my $r = post('/pkix/', der(0x30, der(0x30, $header),
                               der(0xa0 | $number, $bodies{$number})));

    is($r->{status}, 403, "body $number: 403");
    is($r->{body}, '', "body $number: no body");
    is($r->{headers}{'content-length'}, 0, "body $number: length");
    is($r->{headers}{'cache-control'}, 'no-store', "body $number: no-store");
}



=== bodies that only servers send
--- test
for my $number (1, 3, 8, 10, 12, 14, 22) {
    my $header = CMPRaw::decode(CMPRaw::decode(fresh())->[0][1])->[0][1];
    my $r = post('/pkix/', der(0x30, der(0x30, $header),
                               der(0xa0 | $number, der(0x30))));

    ok($r->{status} == 200 || $r->{status} == 400, "body $number");
    is(body($r->{body}), 23, "body $number: error");
}



=== URIs: labels and profiles
--- http_config eval: $main::profiles
--- config
location /pkix/            { cmp_pass devices; }
location /cmp              { cmp_pass devices; }
location /.well-known/cmp  { cmp_pass devices; }
location = /exact          { cmp_pass devices; }
location /old/             { rewrite ^/old/(.*)$ /pkix/$1 last; }
--- test
my @good = qw(
    /pkix/ /pkix/initialization /pkix/p/device /pkix/p/device/
    /pkix/p/device/initialization /pkix//p///device /pkix/x/../
    /pkix/p/dev%69ce /pkix/?a=b /pkix/initialization?x
    /cmp /cmp/ /cmp/initialization /cmp/p/device/initialization
    /.well-known/cmp /.well-known/cmp/p/device /.well-known/cmp/initialization
    /exact /old/ /old/p/device /old/initialization
    http://localhost/pkix/
);

for my $uri (@good) {
    cmp_ok_answer(post($uri, fresh()), 1, $uri);
}

my @bad = qw(
    /pkix/x /pkix/Initialization /pkix/initialization/x /pkix/p /pkix/p/
    /pkix/p/third /pkix/p/Device /pkix/p/device%00 /pkix/p/device/x
    /pkix/p/device/initialization/x /pkix/p/device/p/device /pkix/P/device
    /pkix/q/device /pkix/initialization/p/device /pkix/initialization%2fx
    /cmpx /cmp/x /exact/ /exact/p/device /exact/initialization /old/x
    /.well-known/cmpx /.well-known/cmp/p/ /pkix /pkix/initialisation
);

my $before = certificates();

for my $uri (@bad) {
    my $r = post($uri, fresh());
    my $expected = $uri =~ /%00/ ? 400 : 404;

    is($r->{status}, $expected, "$uri: $expected");
}

is(certificates(), $before, 'nothing was done');

# a connection survives a 404

my @r = answers(request('/pkix/x', fresh())
                . request('/pkix/', fresh(), Connection => 'close'));

is($r[0]{status}, 404, 'not found');
cmp_ok_answer($r[1], 1, 'a message after it');



=== labels that do not fit the message
--- test
for my $label (qw(certification keyupdate pkcs10 revocation getcacerts
                  getrootupdate getcertreqtemplate getcrls nested))
{
    my $r = post("/pkix/$label", fresh());

    cmp_ok_answer($r, 23, $label);
    is(status($r->{body})->[2], 2, "$label: badRequest");
}

my ($status, $out) = client('cr', '-ref', 'device1', '-secret',
    'pass:insecure', '-subject', '/CN=label', '-newkey', newkey(), '-certout',
    tmp('label.pem'), '-path', 'pkix/certification');

is($status, 0, 'cr and certConf at certification') or diag($out);
like($out, qr/received PKICONF/, 'certConf fits any label');



=== the profile of the URI
--- http_config eval: $main::profiles
--- test
my @ir = ('ir', '-ref', 'second', '-secret', 'pass:insecure', '-newkey',
          newkey(), '-certout', tmp('second.pem'));

my ($status, $out) = client(@ir, '-subject', '/CN=second',
                            '-path', 'pkix/p/second');
is($status, 0, 'a profile that it may use') or diag($out);
is(sql("SELECT profile FROM cmp.certificate WHERE subject = 'CN=second'"),
   'second', 'was used');

($status, $out) = client(@ir, '-subject', '/CN=other',
                         '-path', 'pkix/p/device');
isnt($status, 0, 'a profile that it may not use');
like($out, qr/notAuthorized/, 'notAuthorized');



=== several CAs
--- http_config eval
main::default_http_config(http => <<"_EOC_")
cmp_ca others {
    certificate      ${\main::pki('other-root.pem')};
    certificate_key  ${\main::pki('other-root.key')};
    profile          device;
}
_EOC_
--- config
location /pkix/   { cmp_pass devices; }
location /others/ { cmp_pass others; }
--- test
my $r = post('/others/', fresh());

cmp_ok_answer($r, 23, 'a secret is for one CA');
is(status($r->{body})->[2], 1, 'badMessageCheck');

cmpctl('credential', 'add', '--ca', 'others', '--reference', 'o');
credential(ca => 'others', reference => 'device1', secret => 'insecure');

$r = post('/others/', fresh());
cmp_ok_answer($r, 1, 'the other CA');
like($r->{body}, qr/Other Root CA/, 'its certificate');

is(sql('SELECT string_agg(name, \' \' ORDER BY name) FROM cmp.ca'),
   'devices others', 'both are known');



=== subrequests
--- config
location /pkix/  { cmp_pass devices; }
location = /crl  { cmp_crl devices; }
location = /auth { auth_request /pkix/; try_files /none =204; }
location = /crls { auth_request /crl; try_files /none =204; }
location = /copy { mirror /pkix/; proxy_pass http://127.0.0.1:%%PORT%%/ok; }
location = /ok   { return 200 "fine"; }
--- test
is(post('/auth', fresh())->{status}, 500, 'auth_request');
is(http('GET', '/crls')->{status}, 500, 'auth_request for a CRL');

my $before = certificates();
my $r = post('/copy', fresh());

is($r->{status}, 200, 'mirror');
is($r->{body}, 'fine', 'mirror: body');
is(certificates(), $before, 'nothing was done');
--- error_log
"cmp_pass" does not serve subrequests
"cmp_crl" does not serve subrequests



=== a location with a limit, an if, a limit_except
--- http_config eval
main::default_http_config(http =>
    'limit_req_zone $server_name zone=z:1m rate=10r/s;')
--- config
location /pkix/ {
    limit_req zone=z burst=20;
    cmp_pass  devices;
}
location /if/ {
    cmp_pass devices;
    if ($arg_no) { return 444; }
    if ($arg_maybe) { set $x 1; }
}
location /except/ {
    cmp_pass devices;
    limit_except POST { deny all; }
}
location /only/ {
    cmp_pass devices;
    limit_except GET { deny 192.0.2.1; }
}
--- test
# requests that limit_req has delayed

my @bodies = map { fresh() } 1 .. 5;
my @socks = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                        PeerPort => port()) } @bodies;

for my $n (0 .. $#bodies) {
    $socks[$n]->autoflush(1);
    print { $socks[$n] } request('/pkix/', $bodies[$n], Connection => 'close');
}

for my $sock (@socks) {
    my ($r) = responses(do { local $/; <$sock> });

    cmp_ok_answer($r, 1, 'limit_req');
}

is(raw(request('/if/?no=1', fresh())), '', 'if, taken');
cmp_ok_answer(post('/if/', fresh()), 1, 'if, not taken');
cmp_ok_answer(post('/if/?maybe=1', fresh()), 1, 'if, in the block');
cmp_ok_answer(post('/except/', fresh()), 1, 'limit_except');
is(http('GET', '/except/')->{status}, 403, 'limit_except: 403');
cmp_ok_answer(post('/only/', fresh()), 1, 'in limit_except');



=== the same octets again: the same answer
--- test
my $body = message('ir', '-ref', 'device1', '-secret', 'pass:insecure',
                   '-subject', '/CN=replay', '-newkey', newkey());
my $before = certificates();
my $first = post('/pkix/', $body);

cmp_ok_answer($first, 1, 'first');

for my $n (2 .. 4) {
    my $r = post('/pkix/', $body);

    cmp_ok_answer($r, 1, "time $n");
    is($r->{body}, $first->{body}, "time $n: octet for octet");
}

is(certificates(), $before + 1, 'one certificate');

# at the same time

$body = fresh();

my @socks = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                        PeerPort => port()) } 1 .. 8;

for my $sock (@socks) {
    $sock->autoflush(1);
    print $sock request('/pkix/', $body, Connection => 'close');
}

my @r = map { my $s = $_; responses(do { local $/; <$s> }) } @socks;

cmp_ok_answer($_, 1, 'at the same time') for @r;
is($_->{body}, $r[0]{body}, 'the same answer') for @r;
is(certificates(), $before + 2, 'one certificate more');



=== octets of every value, at every end
--- test
# no layer may take something for text: many messages, so many endings

my %ends;

for (1 .. 40) {
    my $body = fresh();

    $ends{substr $body, -1}++;
    is(body(post('/pkix/', $body)->{body}), 1, 'ip');
}

cmp_ok(scalar keys %ends, '>', 20, 'endings');
