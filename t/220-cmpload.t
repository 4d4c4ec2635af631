# Copyright (C) ngx_http_cmp_module contributors
#
# cmpload, the load generator: what it counts is what the server did, and a
# wrong answer is an error.  Needs `make bench-build`.

use lib 't/lib';
use CMPTest;
use CMPRaw;
use IO::Socket::INET;
use JSON::PP;
use POSIX ();

master_on();
workers(2);
credential(reference => 'device1', secret => 'insecure');

our $cmpload = "build-$ENV{TEST_CMP_BUILD}/t/bench/cmpload";
our @mac = (qw(--ref device1 --secret insecure), '--ca', pki('ca-chain.pem'));
our @devices = ('--ca', pki('ca-chain.pem'));
our @signature = ('--cert', pki('ra.pem'), '--key', pki('ra.key'), '--ca',
                  pki('ca-chain.pem'));

# a certConf has to name its hash when the CA signs without one

if ((execute('openssl', 'x509', '-in', pki('ca.pem'), '-noout', '-text'))[1]
    =~ /Signature Algorithm: ML-DSA/)
{
    push @$_, '--pvno', 3 for \@mac, \@signature, \@devices;
}

our $locations = default_config() . <<'_EOC_';
location /ocsp { cmp_ocsp devices; }
location /file { root html; default_type text/plain; }
location /junk { default_type application/pkixcmp; return 200 junk; }
_EOC_
our @ca = (ca => 'ra_certificate ' . pki('ra.pem') . '; trusted_crl '
                 . pki('root.crl') . ';');
our @keys = qw(P-256 RSA-2048 RSA-3072 Ed25519);

# OpenSSL 3.5 and newer

if ((execute('openssl', 'list', '-public-key-algorithms'))[1] =~ /ML-DSA-44/) {
    push @keys, qw(ML-DSA-44 ML-DSA-65);
    push @ca, (keys => 'ec:P-256 rsa:2048-4096 ed25519 ml-dsa-44 ml-dsa-65');
}

our $http = default_http_config(@ca);
our $vendor = default_http_config(@ca, ca => 'trusted_certificate '
    . pki('vendor-root.pem') . '; trusted_crl ' . pki('vendor.crl') . ';');
our $delegated = default_http_config(ca => 'ocsp responder=delegated;');
our $manual = default_http_config(@ca, profile => 'approval manual;');

if (!-x $cmpload) {
    fail("no $cmpload: make bench-build BUILD=$ENV{TEST_CMP_BUILD}");
    exit 1;
}

# the exit code, what it printed, and that as JSON

sub cmpload {
    my ($operation, $path, @options) = @_;
    my $url = $path =~ /^http/ ? $path : "http://127.0.0.1:${\port()}$path";
    my ($status, $out) = execute($cmpload, $operation, $url, '--json',
                                 '--timeout', 60, @options);

    return ($status, $out, eval { decode_json($out) } // {});
}

# all well, and as many as there should be

sub cmpload_ok {
    my ($operation, $path, $n, @options) = @_;
    my ($status, $out, $r) = cmpload($operation, $path, '-n', $n, '-c', 3,
                                     @options);
    my $ok = is($status, 0, "$operation - exit code");

    $ok &= is($r->{completed}, $n, "$operation - completed");
    $ok &= is($r->{errors}{total}, 0, "$operation - errors");
    $ok &= is($r->{latency_ms}{n}, $n, "$operation - latencies");
    diag($out) if !$ok;

    return $r;
}

# errors of one kind and of no other, and exit code 1

sub cmpload_errors {
    my ($kind, $n, $text, @arguments) = @_;
    my ($status, $out, $r) = cmpload(@arguments);
    my $ok = is($status, 1, "$kind - exit code");

    $ok &= is($r->{errors}{$kind}, $n, "$kind - errors");
    $ok &= is($r->{errors}{total}, $n, "$kind - no others");
    $ok &= is($r->{completed}, $r->{started} - $n, "$kind - not completed");
    $ok &= like("@{ $r->{texts} // [] }", $text, "$kind - text");
    diag($out) if !$ok;
}

# in this state, of this subject

sub count {
    my ($state, $subject) = @_;

    return sql("SELECT count(*) FROM cmp.certificate
                WHERE state = $state AND subject LIKE 'CN=$subject-%'");
}

# A server of one connection at a time on port2, which gives the answers that
# the function makes of the number and the body of the request: body,
# Content-Type, seconds to wait.

sub serve {
    my $answer = shift;
    my $listen = IO::Socket::INET->new(LocalAddr => '127.0.0.1',
        LocalPort => $CMPTest::Port2, Listen => 5, ReuseAddr => 1)
        or die "listen: $!";
    my $pid = fork() // die "fork: $!";

    return $pid if $pid != 0;

    my $n = 0;

    while (my $sock = $listen->accept()) {
        my $in = '';

        while (sysread $sock, $in, 65536, length $in) {
            next if $in !~ /\r\n\r\n(.*)/s;
            next if $in =~ /^Content-Length: (\d+)/mi && length $1 < 1;

            my ($head, $body) = split /\r\n\r\n/, $in, 2;
            my ($len) = $head =~ /^Content-Length: (\d+)/mi;

            next if length $body < ($len // 0);

            my ($out, $type, $wait) = $answer->($n++, $body);

            select undef, undef, undef, $wait if $wait;
            syswrite $sock, "HTTP/1.1 200 OK\r\nContent-Type: $type\r\n"
                . 'Content-Length: ' . length($out) . "\r\n\r\n$out";
            $in = '';
        }
    }

    POSIX::_exit(0);
}

sub served {
    my ($answer, $code) = @_;
    my $pid = serve($answer);

    $code->("http://127.0.0.1:$CMPTest::Port2/x");

    kill 'KILL', $pid;
    waitpid $pid, 0;
}

sub spew {
    my ($file, $data) = @_;

    open my $fh, '>', tmp($file) or die "$file: $!";
    binmode $fh;
    print $fh $data;
    close $fh;

    return tmp($file);
}

# what this nginx says of a certificate, as bytes

sub ocsp_answer {
    my $cert = shift;

    execute('openssl', 'ocsp', '-issuer', pki('ca.pem'), '-cert', $cert,
            '-no_nonce', '-reqout', tmp('request.der'));

    return http('POST', '/ocsp', CMPTest::slurp(tmp('request.der')),
                'Content-Type' => 'application/ocsp-request')->{body};
}

sub enrol {
    my $name = shift;
    my ($status, $out) = client('ir', '-ref', 'device1', '-secret',
        'pass:insecure', '-subject', "/CN=$name", '-newkey', newkey('P-256'),
        '-certout', tmp("$name.pem"));

    is($status, 0, "ir of $name") or diag($out);

    return tmp("$name.pem");
}

run_tests();

__DATA__

=== certificates: what was received is in the store
--- http_config eval: $main::http
--- config eval: $main::locations
--- test
my $n = 0;

for my $key (@main::keys) {
    for my $with (\@main::mac, \@main::signature) {
        for my $op ($key eq 'P-256' ? qw(ir cr-implicit p10cr)
                                    : qw(ir p10cr-implicit))
        {
            my $name = 'a' . $n++;
            my $r = main::cmpload_ok($op, '/pkix/', 6, @$with, '--newkey',
                $key, '--subject', "/CN=$name-%n", '--serials',
                tmp("$name.serials"));

            is(main::count(1, $name), 6, "$op, $key: valid certificates");
            is($r->{protection}, $with == \@main::mac ? 'MAC' : 'signature',
               'protection');
            is($r->{key}, $key, 'key');
        }
    }
}

my @serials = sort split ' ', CMPTest::slurp(tmp('a0.serials'));

is(join(',', @serials),
   sql("SELECT string_agg(encode(serial, 'hex'), ',' ORDER BY serial)
        FROM cmp.certificate WHERE subject LIKE 'CN=a0-%'"),
   'serial numbers');



=== a folder of devices: each signs with its own certificate
--- http_config eval: $main::vendor
--- config eval: $main::locations
--- test
my ($status, $out) = execute("build-$ENV{TEST_CMP_BUILD}/t/bench/device_certs",
                             pki('vendor-root') =~ s/\.pem$//r, 5,
                             tmp('devices'));

is($status, 0, 'five devices') or diag($out);
main::spew('devices/device.txt', 'no certificate');

my @devices = (@main::devices, '--certs', tmp('devices'));
my $subjects = 'SELECT string_agg(n::text, \',\' ORDER BY subject) FROM (SELECT'
    . ' subject, count(*) AS n FROM cmp.certificate WHERE subject LIKE'
    . ' \'%serialNumber=10000%\' GROUP BY subject) AS devices';
my $signers = 'SELECT count(DISTINCT signer) FROM cmp.transaction';
my $before = sql($signers);

for my $op (qw(ir ir-implicit)) {
    my $r = main::cmpload_ok($op, '/pkix/', 12, @devices);

    is($r->{signers}, 5, "$op: signers");
    is($r->{protection}, 'signature', "$op: protection");
}

# by turns, from the first on; a certificate has the subject of its device

is(sql($subjects), '6,6,4,4,4', 'of each device');
is(sql($signers) - $before, 5, 'five signers');

# kur has signers of its own, they update what the devices were given

main::cmpload_ok('kur', '/pkix/', 5, @devices);
is(sql($subjects), '8,8,6,6,6', 'updates');

# each of them is a device of this subject, and of no other

main::cmpload_errors('refused', 3, qr/for this subject/, 'ir', '/pkix/', '-n',
                     3, @devices, '--subject', '/CN=another');



=== signers that cannot be used
--- http_config eval: $main::http
--- config eval: $main::locations
--- test
my @n = map { tmp("signers$_") } 0 .. 4;
my ($cert, $key, $other) = map { CMPTest::slurp(pki($_)) }
    qw(ra.pem ra.key vendor-device.key);

sub unusable {
    my ($name, $text, @options) = @_;
    my ($status, $out) = main::cmpload('genm', '/pkix/', '-n', 1, '--ca',
                                       pki('ca-chain.pem'), @options);

    is($status, 2, "$name: exit code");
    like($out, $text, "$name: text");
}

mkdir $_ for @n;
main::spew('signers0/a.txt', "$cert$key");
main::spew('signers1/a.pem', "$cert$key");
main::spew('signers1/b.pem', $key);
main::spew('signers2/a.pem', $cert);
main::spew('signers3/a.pem', "$cert$key");
main::spew('signers3/b.pem', "$cert$other");
main::spew('signers4/a.pem', "$cert$key");

unusable('no folder', qr/signers9": No such file/, '--certs', tmp('signers9'));
unusable('no .pem', qr/no \*\.pem in/, '--certs', $n[0]);
unusable('no certificate', qr{no certificate in ".*/b\.pem"}, '--certs', $n[1]);
unusable('no key', qr{no private key in ".*/a\.pem"}, '--certs', $n[2]);
unusable('another key', qr{/b\.pem": the key is not that}, '--certs', $n[3]);
unusable('a secret too', qr/only one of/, '--certs', $n[4], '--secret', 'x');
unusable('a certificate too', qr/only one of/, '--certs', $n[4],
         '--cert', pki('ra.pem'), '--key', pki('ra.key'));

main::cmpload_ok('genm', '/pkix/', 3, '--ca', pki('ca-chain.pem'), '--certs',
                 $n[4]);



=== kur, rr, genm
--- http_config eval: $main::http
--- config eval: $main::locations
--- test
for my $key (grep { !/3072/ } @main::keys) {
    main::cmpload_ok('kur', '/pkix/', 6, @main::mac, '--newkey', $key,
                     '--subject', "/CN=kur$key-%n");
    is(main::count(1, "kur$key"), 12, "kur, $key: before and after");

    main::cmpload_ok('rr', '/pkix/', 6, @main::signature, '--newkey', $key,
                     '--subject', "/CN=rr$key-%n");
    is(main::count(3, "rr$key"), 6, "rr, $key: revoked");
    is(main::count(1, "rr$key"), 0, "rr, $key: none is left");
}

my $before = sql('SELECT count(*) FROM cmp.certificate');

main::cmpload_ok('genm', '/pkix/', 20, @main::mac);
main::cmpload_ok('genm', '/pkix/', 20, @main::signature);
is(sql('SELECT count(*) FROM cmp.certificate'), $before, 'genm: no more');



=== text; less that is verified; a rate; what has to be said
--- http_config eval: $main::http
--- config eval: $main::locations
--- test
my @url = ("http://127.0.0.1:${\port()}/pkix/");
my ($status, $out) = execute($main::cmpload, 'ir', @url, '-n', 6, '-c', 2,
                             @main::mac);

is($status, 0, 'text') or diag($out);
like($out, qr{^completed +6 in [\d.]+ s, 0 errors}m, 'completed');
like($out, qr{^throughput +[\d.]+/s}m, 'throughput');
like($out, qr{^latency, ms +p50 +p90 +p99 +p99\.9 +max +mean$}m, 'quantiles');
like($out, qr{^ +$_( +[\d.]+){6}$}m, "of $_") for qw(all ir certConf);

for my $op (qw(cr kur-implicit)) {
    main::cmpload_ok($op, '/pkix/', 6, @main::mac, "--verify=$_")
        for qw(all sample none);
}

my $r = main::cmpload_ok('ir', '/pkix/', 6, @main::mac, '-r', 50,
                         '--reconnect');

cmp_ok($r->{latency_ms}{'p99.9'}, '>=', $r->{latency_ms}{p50}, 'p99.9');
cmp_ok($r->{seconds}, '>', 0.09, 'the sixth is due after 100 ms');

for my $op (qw(kur rr pollReq)) {
    ($status, $out) = execute($main::cmpload, $op, @url, '-d', 1, @main::mac);
    is($status, 2, "$op: for how many?");
    like($out, qr/$op needs -n/, "$op: text");
}



=== what waits, and polls
--- http_config eval: $main::manual
--- config eval: $main::locations
--- test
main::cmpload_ok('ir-waiting', '/pkix/', 6, @main::mac);
is(sql('SELECT count(*) FROM cmp.request WHERE state = 0'), 6, 'they wait');

main::cmpload_ok('pollReq', '/pkix/', 6, @main::mac);
main::cmpload_ok('pollReq', '/pkix/', 6, @main::signature);
is(sql('SELECT count(*) FROM cmp.request WHERE state = 0'), 18,
   'one request for each poll');

# ir is to be granted here

main::cmpload_errors('refused', 3, qr/waiting/, 'ir', '/pkix/', '-n', 3,
                     @main::mac);



=== OCSP
--- http_config eval: $main::http
--- config eval: $main::locations
--- test
my @ca = ('--ca', pki('ca-chain.pem'));
my $serials = tmp('ocsp.serials');
my @ask = (@ca, '--ask-serials', $serials);

main::cmpload_ok('ir-implicit', '/pkix/', 10, @main::mac, '--serials',
                 $serials);

for my $op (qw(ocsp ocsp-get)) {
    # one after the other: two at a time may both be signed

    my $r = main::cmpload_ok($op, '/ocsp', 50, @ask, '-c', 1);
    is($r->{certificates}, 10, 'certificates');
    is($r->{good}, 50, 'good');
    is($r->{signatures_verified}, 10, 'each answer is verified once')
        if $op eq 'ocsp';

    $r = main::cmpload_ok($op, '/ocsp', 50, @ask, '--nonce', '--digest',
                          'sha256');
    is($r->{signatures_verified}, 50, 'each is another one with a nonce');
}

my $pem = main::enrol('ocsp-pem');

main::cmpload_ok('ocsp', '/ocsp', 3, @ca, '--ask', $pem);
mkdir tmp('folder');
main::spew("folder/$_.pem", CMPTest::slurp(main::enrol("ocsp-$_")))
    for qw(a b);
main::spew('folder/c.txt', 'no certificate');
is(main::cmpload_ok('ocsp', '/ocsp', 4, @ca, '--ask',
                    tmp('folder'))->{certificates}, 2, 'a folder');

# one of ten revoked

my ($serial) = split ' ', CMPTest::slurp($serials);
my ($status, $out) = cmpctl('certificate', 'revoke', $serial);
is($status, 0, 'revoked') or diag($out);
wait_for(sub {
    (main::cmpload('ocsp', '/ocsp', '-n', 10, @ask))[2]{revoked} == 1;
}, 10);

main::cmpload_errors('certificate-status', 2, qr/is revoked/, 'ocsp', '/ocsp',
                     '-n', 20, @ask);
is(main::cmpload_ok('ocsp', '/ocsp', 20, @ask, '--status', 'any')->{revoked},
   2, 'any status');



=== OCSP by a responder that the CA has delegated to
--- http_config eval: $main::delegated
--- config eval: $main::locations
--- test
my @ask = ('--ca', pki('ca-chain.pem'), '--ask',
           main::enrol('ocsp-delegated'));

# tryLater until there is one

wait_for(sub { (main::cmpload('ocsp', '/ocsp', '-n', 1, @ask))[0] == 0 }, 15);
main::cmpload_ok($_, '/ocsp', 10, @ask) for qw(ocsp ocsp-get);
main::cmpload_ok('ocsp', '/ocsp', 10, @ask, '--nonce');



=== a file, a CRL
--- http_config eval: $main::http
--- config eval: $main::locations
--- user_files
>>> file
the body of the file
--- test
my $r = main::cmpload_ok('get', '/file', 50);

is($r->{body_bytes}, length "the body of the file\n", 'length');
cmp_ok($r->{bytes_received}, '>', 50 * 20, 'octets');

main::cmpload_ok('get', '/crl/devices.crl', 20);
main::cmpload_errors('body', 4, qr/another one/, 'get', '/file', '-n', 4,
                     '--expect', main::spew('other', "the body of the life\n"));
main::cmpload_errors('body', 4, qr/another one/, 'get', '/file', '-n', 4,
                     '--expect', main::spew('short', "the body of the file"));
main::cmpload_errors('http-status', 4, qr/404/, 'get', '/none', '-n', 4,
                     '--expect', tmp('other'));



=== a rate: late answers are late from when they were due
--- http_config eval: $main::http
--- config eval: $main::locations
--- test
my $slow = sub { ('body', 'text/plain', $_[0] == 0 ? 0.6 : 0) };
my @options = ('-n', 20, '--expect', main::spew('body', 'body'));

main::served($slow, sub {
    my ($status, $out, $r) = main::cmpload('get', $_[0], @options);

    is($status, 0, 'closed loop') or diag($out);
    cmp_ok($r->{latency_ms}{max}, '>', 550, 'closed loop: one is slow');
    cmp_ok($r->{latency_ms}{p90}, '<', 300, 'closed loop: the others are not');
    is($r->{start_delay_ms}, undef, 'closed loop: nothing is due');
});

main::served($slow, sub {
    my ($status, $out, $r) = main::cmpload('get', $_[0], @options, '-r', 40);

    is($status, 0, 'rate') or diag($out);
    cmp_ok($r->{latency_ms}{p50}, '>', 250, 'rate: half of them are late');
    cmp_ok($r->{start_delay_ms}{p50}, '>', 250, 'rate: sent late');
    cmp_ok($r->{messages}{get}{p50}, '<', 250, 'rate: answered at once');
});

# all that is due in the time is sent

main::served($slow, sub {
    my ($status, $out, $r) = main::cmpload('get', $_[0], '--expect',
        tmp('body'), '-r', 40, '-d', 0.5);

    is($r->{completed}, 20, 'rate and duration: all') or diag($out);
});



=== wrong answers are errors: CMP
--- http_config eval: $main::http
--- config eval: $main::locations
--- test
main::cmpload_errors('decode', 5, qr/no PKIMessage/, 'ir', '/junk', '-n', 5,
                     @main::mac);
main::cmpload_errors('http-status', 5, qr/404/, 'genm', '/none', '-n', 5,
                     @main::mac);
main::cmpload_errors('refused', 3, qr/badMessageCheck/, 'ir', '/pkix/', '-n', 3, '--ref',
    'device1', '--secret', 'wrong', '--ca', pki('ca-chain.pem'));
main::cmpload_errors('refused', 3, qr/badCertTemplate|notAuthorized/, 'ir',
    '/pkix/', '-n', 3, @main::mac, '--profile', 'nonesuch');

# with a CA that is another one

main::cmpload_errors('certificate', 3, qr/./, 'ir-implicit', '/pkix/', '-n', 3,
    '--ref', 'device1', '--secret', 'insecure', '--ca', pki('other-root.pem'));

# the right answer to somebody else

my $message = CMPRaw::message('ir', '-ref', 'device1', '-secret',
    'pass:insecure', '-subject', '/CN=other', '-newkey', newkey('P-256'));
my $answer = CMPRaw::post('/pkix/', $message)->{body};

main::served(sub { ($answer, 'application/pkixcmp') }, sub {
    main::cmpload_errors('header', 4, qr/transactionID/, 'ir', $_[0], '-n', 4,
                         @main::mac, '--pvno', 2);
});

# one bit of its protection is another one

main::served(sub {
    my (undef, $body) = @_;
    my $altered = CMPRaw::post('/pkix/', $body)->{body};

    $altered =~ s/(\xa0[\x17\x23]\x03[\x15\x21]\x00)(.)/$1 . ($2 ^ "\x01")/se
        or die 'no protection';

    return ($altered, 'application/pkixcmp');
}, sub {
    main::cmpload_errors('protection', 4, qr/./, 'ir-implicit', $_[0], '-n', 4,
                         @main::mac);
});

main::served(sub { ($answer, 'text/html') }, sub {
    main::cmpload_errors('http', 4, qr/Content-Type/, 'ir', $_[0], '-n', 4,
                         @main::mac);
});

my ($status, $out) = execute($main::cmpload, 'ir', 'http://127.0.0.1:1/',
                             @main::mac);

is($status, 2, 'no server');
like($out, qr/cannot connect/, 'no server: text');



=== wrong answers are errors: OCSP
--- http_config eval: $main::http
--- config eval: $main::locations
--- test
my ($one, $two) = map { main::enrol("wrong-$_") } 1, 2;
my $type = 'application/ocsp-response';
my @ask = ('-n', 4, '--ca', pki('ca-chain.pem'), '--ask', $two);

sub wrong {
    my ($answer, $kind, $text, @options) = @_;

    for my $op (qw(ocsp ocsp-get)) {
        main::served(sub { ($answer, $type) }, sub {
            main::cmpload_errors($kind, 4, $text, $op, $_[0], @options);
        });
    }
}

wrong(main::ocsp_answer($one), 'body', qr/another certificate/, @ask);
wrong(main::ocsp_answer($two), 'header', qr/nonce/, @ask, '--nonce');
wrong('junk', 'decode', qr/no OCSPResponse/, @ask);
wrong("\x30\x03\x0a\x01\x03", 'refused', qr/trylater/i, @ask);

my $altered = main::ocsp_answer($two);

substr($altered, -1) ^= "\x01";
wrong($altered, 'protection', qr/not signed/, @ask);

# by somebody whom the CA has not made a responder, and without nextUpdate

my ($x, $serial) = execute('openssl', 'x509', '-in', $two, '-noout',
                           '-serial');
$serial =~ s/^serial=|\s//g;
main::spew('index.txt', "V\t20991231235959Z\t\t$serial\tunknown\t/CN=x\n");
execute('openssl', 'ocsp', '-issuer', pki('ca.pem'), '-cert', $two,
        '-no_nonce', '-reqout', tmp('two.der'));

for my $signer (['vendor-device', 'protection', qr/not signed/, '-ndays', 1],
                ['ca', 'validity', qr/nextUpdate/])
{
    my ($name, $kind, $text, @days) = @$signer;

    execute('openssl', 'ocsp', '-index', tmp('index.txt'), '-CA',
        pki('ca.pem'), '-rsigner', pki("$name.pem"), '-rkey',
        pki("$name.key"), '-reqin', tmp('two.der'), '-respout',
        tmp("$name.der"), @days);
    wrong(CMPTest::slurp(tmp("$name.der")), $kind, $text, @ask);
}
