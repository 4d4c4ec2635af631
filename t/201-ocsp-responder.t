# Copyright (C) ngx_http_cmp_module contributors
#
# OCSP answers by a responder that the CA has delegated to: a key and a
# certificate that it makes, renews and replaces by itself.

use lib 't/lib';
use CMPTest;
use CMPCrl;
use CMPRaw;
use CMPStaple;
use MIME::Base64;

master_on();
workers(2);
own_cluster();
credential(reference => 'device1', secret => 'insecure');

our $http = default_http_config(ca => 'crl url=http://a.example/a.crl;
                                       ocsp responder=delegated;');
our $locations = default_config() . "location /ocsp { cmp_ocsp devices; }\n";

sub with {
    return default_http_config(ca => "ocsp responder=delegated @_;");
}

# what `openssl ocsp` says, which knows the root and the CA, no responder

sub ocsp {
    my ($cert, @more) = @_;
    my ($status, $out) = execute('openssl', 'ocsp', '-issuer', pki('ca.pem'),
        '-CAfile', pki('root.pem'), '-verify_other', pki('ca.pem'), '-cert',
        $cert, '-url', "http://127.0.0.1:${\port()}/ocsp", '-no_nonce',
        '-timeout', 5, @more);

    return $out;
}

sub good {
    my $out = ocsp(@_);

    return $out =~ /Response verify OK/ && $out =~ /\.pem: good/;
}

sub url {
    my ($cert, @more) = @_;

    execute('openssl', 'ocsp', '-issuer', pki('ca.pem'), '-cert', $cert,
            '-no_nonce', '-reqout', tmp('request.der'), @more);

    return '/ocsp/' . encode_base64(CMPTest::slurp(tmp('request.der')), '')
                      =~ s{([+/=])}{sprintf '%%%02X', ord $1}ger;
}

# an answer as text, and the responder in it: certificate and serial number

sub answer {
    my ($cert, $port) = @_;

    local $CMPTest::Port = $port // $CMPTest::Port;

    my $r = http('GET', url($cert));

    open my $fh, '>', tmp('answer.der') or die;
    binmode $fh;
    print $fh $r->{body};
    close $fh;

    my ($status, $out) = execute('openssl', 'ocsp', '-respin',
        tmp('answer.der'), '-noverify', '-text');
    my ($pem) = $out =~ /(-----BEGIN.*?-----END CERTIFICATE-----\n)/s;
    my $serial = '';

    if ($pem) {
        open $fh, '>', tmp('responder.pem') or die;
        print $fh $pem;
        close $fh;

        (undef, $serial) = execute('openssl', 'x509', '-in',
            tmp('responder.pem'), '-noout', '-serial');
        $serial =~ s/serial=(\w+)\s+/$1/;
    }

    return ($out, $serial, $r);
}

sub serial { return (answer(@_))[1] }

# the latest one of the store

sub stored {
    return uc sql("SELECT encode(serial, 'hex') FROM cmp.ocsp_responder
                   WHERE secret IS NOT NULL
                   ORDER BY number DESC LIMIT 1");
}

sub numbers {
    return sql("SELECT string_agg(number || '', ',' ORDER BY number)
                FROM cmp.ocsp_responder");
}

# the one of the block before, which has other settings

sub replaced {
    my $before = stored();

    cmpctl('certificate', 'revoke', $before);
    ok(wait_for(sub { stored() ne $before }, 15), 'another one');
}

# every worker has it: each drops the answers of all when it reads another one

sub everywhere {
    my $number = sql("SELECT max(number) FROM cmp.ocsp_responder
                      WHERE secret IS NOT NULL");

    ok(wait_for(sub {
        my %pids = map { $_ => 1 }
            error_log() =~ /(\d+)#\d+: .*OCSP responder $number of key 0 read/g;
        return keys %pids == 2;
    }, 15), 'read by each worker') or diag(error_log());
}

sub try_later {
    return unpack('H*', http('GET', url(@_))->{body}) eq '30030a0103';
}

run_tests();

__DATA__

=== the certificate of the responder
--- http_config eval: $main::http
--- config eval: $main::locations
--- test
my ($cert, $key) = main::enrol('first');

ok(main::good($cert), 'good, and verified by the CA alone')
    or diag(main::ocsp($cert));

my ($text, $serial) = main::answer($cert);
like($text, qr/Cert Status: good/, 'good');
is($serial, main::stored(), 'of the store');

(undef, my $ski) = execute('openssl', 'x509', '-in', tmp('responder.pem'),
    '-noout', '-ext', 'subjectKeyIdentifier');
my ($id) = $text =~ /Responder Id: (\w+)/;
is($id, $ski =~ s/.*?:\s*\n\s*//sr =~ s/[:\s]//gr, 'responderID: byKey');

my ($status, $out) = execute('openssl', 'verify', '-CAfile', pki('root.pem'),
    '-untrusted', pki('ca.pem'), tmp('responder.pem'));
is($status, 0, 'issued by the CA') or diag($out);

($status, $out) = execute('openssl', 'x509', '-in', tmp('responder.pem'),
    '-noout', '-text');
like($out, qr/Key Usage: critical\s+Digital Signature\n/, 'keyUsage');
like($out, qr/Extended Key Usage:\s+OCSP Signing\n/, 'extKeyUsage');
like($out, qr/OCSP No Check:/, 'ocsp-nocheck');
like($out, qr/Subject: O ?= ?Example, CN ?= ?Example Device CA, CN ?= ?OCSP/,
     'subject');

# a week from now

my ($to) = $out =~ /Not After : (.*?)\n/;
my $left = sql("SELECT extract(epoch FROM '$to'::timestamptz - now())::int");
cmp_ok(abs($left - 7 * 86400), '<', 60, 'validity');

# in the store: a certificate as any other, in the audit, the key sealed

is(sql("SELECT profile || ' ' || state || ' ' || der FROM cmp.certificate
        WHERE serial = '\\x$serial'"),
   '(ocsp) 1 \x' . unpack('H*', decode_base64(
       CMPTest::slurp(tmp('responder.pem')) =~ s/-----.*//gr)),
   'a certificate');
is(sql("SELECT requester FROM cmp.audit WHERE action = 'ocsp responder'
        AND encode(serial, 'hex') = lower('$serial')"), 'server', 'audit');
unlike(sql("SELECT secret FROM cmp.ocsp_responder"),
       qr/06072a8648ce3d0201/, 'no EC key in clear');

($status, $out) = cmpctl('certificate', 'list');
like($out, qr/ $serial .*\(ocsp\)/i, 'cmpctl certificate list') or diag($out);

# what was revoked is so

client('rr', '-cert', $cert, '-key', $key, '-oldcert', $cert);
like(main::ocsp($cert), qr/verify OK.*: revoked/s, 'revoked');

# GnuTLS

($cert) = main::enrol('gnutls');
($status, $out) = execute('ocsptool',
    "--ask=http://127.0.0.1:${\port()}/ocsp", '--load-cert', $cert,
    '--load-issuer', pki('ca.pem'), '--load-trust', pki('ca.pem'), '--nonce');
like($out, qr/Certificate Status: good/, 'ocsptool') or diag($out);
like($out, qr/Verifying OCSP Response: Success/, 'verified') or diag($out);
is($status, 0, 'exit code');



=== restarted, and on another node: the same
--- http_config eval: $main::http
--- config eval: $main::locations
--- test
my ($cert) = main::enrol('second');
my $serial = main::serial($cert);

is(main::numbers(), '1', 'not another one');
is($serial, main::stored(), 'the one of the store');
ok(node($CMPTest::Port2), 'another node');
ok(wait_for(sub { main::serial($cert, $CMPTest::Port2) eq $serial }, 10),
   'the same there');
unlike(node_stop(), qr/\[(?:alert|emerg)\]/, 'no [alert] there');
is(main::numbers(), '1', 'still one');



=== two nodes begin at the same time
--- http_config eval: $main::http
--- config eval: $main::locations
--- test
my ($cert) = main::enrol('race');

ok(node($CMPTest::Port2), 'another node');
main::answer($cert, $CMPTest::Port2);

# four workers

for my $n (2 .. 4) {
    my $url = main::url($cert, '-nonce');

    cmpctl('certificate', 'revoke', main::stored());

    my @pids = map {
        my $port = $_;
        my $pid = fork() // die;

        if ($pid == 0) {
            local $CMPTest::Port = $port;
            http('GET', $url) for 1 .. 4;
            POSIX::_exit(0);
        }

        $pid;
    } ($CMPTest::Port, $CMPTest::Port2) x 2;

    waitpid $_, 0 for @pids;

    ok(wait_for(sub {
        my %seen = map { main::serial($cert, $_) => 1 }
                       ($CMPTest::Port, $CMPTest::Port2) x 4;
        keys %seen == 1 && $seen{main::stored()};
    }, 15), 'one for all');
    is(main::numbers(), join(',', 1 .. $n), 'one more in the store');
}

unlike(node_stop(), qr/\[(?:alert|emerg|crit)\]/, 'no [alert] there');



=== revoked: another one at once
--- http_config eval: $main::http
--- config eval: $main::locations
--- test
my ($cert) = main::enrol('third');
my $serial = main::serial($cert);

ok(node($CMPTest::Port2), 'another node');
ok(wait_for(sub { main::serial($cert, $CMPTest::Port2) eq $serial }, 10),
   'the same there');

my ($status, $out) = cmpctl('certificate', 'revoke', '--reason',
                            'keyCompromise', $serial);
is($status, 0, 'cmpctl certificate revoke') or diag($out);

# nobody has asked about this one: no answer of before

my ($other) = main::enrol('asked later');
my $new = main::serial($other);

isnt($new, $serial, 'not used any more');
is($new, main::stored(), 'the new one');

# answers that are kept are gone too

for my $port ($CMPTest::Port, $CMPTest::Port2) {
    ok(wait_for(sub { main::serial($cert, $port) eq $new }, 10),
       "nor what it had signed, $port");
}

ok(main::good($cert), 'good, and verified');
unlike(node_stop(), qr/\[(?:alert|emerg|crit)\]/, 'no [alert] there');

(undef, my $crl) = crl('/crl/devices.crl');
like($crl, qr/Serial Number: $serial.*?Key Compromise/s, 'in the CRL');
is(sql("SELECT secret IS NULL FROM cmp.ocsp_responder
        WHERE serial = '\\x$serial'"), 't', 'its key is gone');

# without anybody who asks, and on hold

cmpctl('certificate', 'hold', $new);
ok(wait_for(sub { main::stored() ne $new }, 15), 'on hold');



=== its time ends: another one before that
--- http_config eval: main::with('responder_validity=15s lifetime=1h')
--- config eval: $main::locations
--- test

# the one of a week goes on: its time has not come

my ($cert) = main::enrol('short');
my ($text, $serial, $r);

main::replaced();
ok(wait_for(sub { ($text, $serial, $r) = main::answer($cert);
                  $serial eq main::stored() }, 10), 'a short one');

my ($next) = $text =~ /Next Update: (.*)/;
my ($status, $end) = execute('openssl', 'x509', '-in', tmp('responder.pem'),
                             '-noout', '-enddate');
$end =~ s/notAfter=(.*?)\s*$/$1/;
is($next, $end, 'no answer is valid for longer');
like($r->{headers}{'cache-control'}, qr/^max-age=1?\d,/, 'nor kept');

my $new;
ok(wait_for(sub { ($new = main::stored()) ne $serial }, 15), 'renewed');
is(sql("SELECT not_after > now() FROM cmp.ocsp_responder
        WHERE serial = '\\x$serial'"), 't', 'before the end');

# no moment without

my $bad = 0;
my $until = time + 12;

while (time < $until) {
    $bad++ if !main::good($cert);
    Time::HiRes::sleep(0.2);
}

is($bad, 0, 'always verified');
isnt(main::serial($cert), $serial, 'by another one');



=== the database is away
--- http_config eval: $main::http
--- config eval: $main::locations
--- test
my ($cert) = main::enrol('away');
my ($other) = main::enrol('away2');

main::replaced();
main::everywhere();

my ($text, $serial, $before) = main::answer($cert);

like($text, qr/Cert Status: good/, 'good');
cluster('stop', 'immediate');

is(http('GET', main::url($cert))->{body}, $before->{body},
   'the answer that there is');
ok(main::try_later($other), 'none: tryLater');

# begun without: the key of the CA does not stand in

ok(reload(), 'reload');
ok(main::try_later($cert), 'tryLater');
cluster('start');
ok(wait_for(sub { main::good($cert) }, 15), 'it is back');

# of several workers each has to notice

ok(wait_for(sub { main::serial($cert) eq $serial }, 15),
   'with the same responder');



=== sealed with another key
--- http_config eval
do { open my $fh, '>', main::tmp('other.key') or die; print $fh '00' x 32; };
chmod 0600, main::tmp('other.key');
$main::http =~ s/key=\S+/'key=' . main::tmp('other.key')/er;
--- config eval: $main::locations
--- test
my $cert = tmp('away.pem');
my $serial = main::stored();

ok(wait_for(sub { error_log() =~ /\[crit\].* of key 0 cannot be used: its/ },
            10), 'one line');
ok(main::try_later($cert), 'tryLater');
is(main::stored(), $serial, 'it is not replaced');

# unless that is wanted

cmpctl('certificate', 'revoke', '--reason', 'superseded', $serial);
ok(wait_for(sub { main::good($cert) }, 15), 'another one');
isnt(main::serial($cert), $serial, 'in its place');
--- error_log
the OCSP responder of key 0 cannot be used: its private key was sealed with another key



=== kinds of keys
--- http_config eval: main::with('responder_key=rsa:2048')
--- config eval: $main::locations
--- test
my $cert = tmp('away.pem');

main::replaced();
ok(wait_for(sub { main::good($cert) }, 15), 'good, verified');
main::answer($cert);

my ($status, $out) = execute('openssl', 'x509', '-in', tmp('responder.pem'),
                             '-noout', '-text');
like($out, qr/Public-Key: \(2048 bit\)/, 'RSA');
ok(main::good($cert), 'good, verified') for 1 .. 3;



=== stapling by nginx
--- http_config eval: $main::http . main::staple_include()
--- config eval: $main::locations
--- test
main::staple(main::enrol('staple'));
