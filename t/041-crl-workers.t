# Copyright (C) ngx_http_cmp_module contributors
#
# Each worker has its own copy of the CRL: nobody must see the difference.

use lib 't/lib';
use CMPTest;
use CMPRaw;

master_on();
workers(2);
own_cluster();

credential(reference => 'device1', secret => 'insecure');

our $uri = '/crl/devices.crl';

our $log = "$ENV{TEST_NGINX_SERVROOT}/logs/pid.log";

sub everywhere {
    my %seen;

    # requests side by side, until each worker had some

    for (1 .. 50) {
        my @socks = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                                PeerPort => port()) } 1 .. 8;

        for my $sock (@socks) {
            $sock->autoflush(1);
            print $sock "GET $uri HTTP/1.1\r\nHost: a\r\n"
                        . "Connection: close\r\n\r\n";
        }

        for my $sock (@socks) {
            my ($r) = responses(do { local $/; <$sock> });

            is($r->{status}, 200, 'status') if $r->{status} != 200;
            $seen{$r->{body}}++;
        }

        my %pids = map { /^(\d+) 200/ ? ($1, 1) : () }
                   split /\n/, CMPTest::slurp($log);

        return scalar keys %seen if keys %pids == 2;
    }

    return "asked: " . CMPTest::slurp($log);
}

# How often the database was asked for the current CRL, while that is logged.

sub questions {
    my $text = CMPTest::slurp("$CMPTest::Cluster/postgresql.log");

    return scalar(() = $text =~ /execute cmp_crl_current/g);
}

sub log_questions {
    my $on = shift eq 'on';
    my $before = questions();

    sql('ALTER SYSTEM ' . ($on ? 'SET' : 'RESET')
        . ' log_min_duration_statement' . ($on ? ' = 0' : ''));
    sql('SELECT pg_reload_conf()');

    return !$on
        || wait_for(sub { http('GET', $uri); questions() > $before }, 10);
}

# both workers are asked all the time, so that they have a CRL that is new

sub keep_asking {
    my $pid = fork() // die;

    return $pid if $pid != 0;

    my $end = time() + 120;

    while (time() < $end) {
        http('GET', $uri);
    }

    POSIX::_exit(0);
}

run_tests();

__DATA__

=== two workers serve the same
--- http_config eval
main::default_http_config(http => 'log_format pid "$pid $status"; '
                                  . 'access_log logs/pid.log pid;')
--- test
is(main::everywhere(), 1, 'the same everywhere');

my ($status, $out) = client('ir', '-ref', 'device1', '-secret',
    'pass:insecure', '-subject', '/CN=two', '-newkey', newkey(), '-certout',
    tmp('two.pem'));
is($status, 0, 'a certificate') or diag($out);

my $serial = sql("SELECT encode(serial, 'hex') FROM cmp.certificate");

($status, $out) = cmpctl('certificate', 'revoke', $serial);
is($status, 0, 'is revoked') or diag($out);

unlink $main::log;
kill 'USR1', nginx_pid();
ok(wait_for(sub { -e $main::log }, 5), 'a new log');

is(main::everywhere(), 1, 'the same everywhere, after a revocation');

my $r = http('GET', $uri);

like($r->{body}, qr/\Q${\pack('H*', $serial)}\E/, 'the new one');
is($r->{headers}{etag},
   '"' . sprintf('%x', sql('SELECT max(number) FROM cmp.crl')) . '"',
   'of the store');

my @made = error_log() =~ /CRL (\d+) with \d+ entries made/g;

is(scalar @made, 2, 'each was made by one of them') or diag("@made");



=== one question for many requests
--- http_config eval
main::default_http_config()
--- test
my $ask = sub {
    my ($n, $header) = @_;
    my $from = Time::HiRes::time();
    my $before = main::questions();

    my @statuses = map { $_->{status} } responses(raw(
        "GET $uri HTTP/1.1\r\nHost: a\r\n$header\r\n" x ($n - 1)
        . "GET $uri HTTP/1.1\r\nHost: a\r\n${header}"
        . "Connection: close\r\n\r\n"));

    is(scalar(grep { $_ == 200 } @statuses), $n, "$n answers");

    return (main::questions() - $before, Time::HiRes::time() - $from);
};

ok(main::log_questions('on'), 'logged');

# every 15 ms at most, and a look of each worker now and then

my ($asked, $time) = $ask->(200, '');
my $limit = 1 + $time / 0.015 + 2 * (1 + $time);

ok($asked <= $limit, 'few questions')
    or diag("$asked questions in $time s");

for my $value ('no-cache', 'private, Max-Age=0') {
    my ($more) = $ask->(20, "Cache-Control: $value\r\n");

    ok($more >= 20, "Cache-Control: $value") or diag("$more questions");
}

($asked) = $ask->(100, "Cache-Control: max-age=60\r\n");
ok($asked < 100, 'Cache-Control: max-age=60') or diag("$asked questions");

main::log_questions('off');



=== enrolments change no CRL
--- http_config eval
main::default_http_config()
--- test
my $cmpload = "build-$ENV{TEST_CMP_BUILD}/t/bench/cmpload";
my $pid = fork() // die;

if ($pid == 0) {
    open STDOUT, '>', '/dev/null';
    open STDERR, '>&', \*STDOUT;
    exec $cmpload, 'ir', "http://127.0.0.1:${\port()}/pkix/", '-c', 8, '-d', 60,
        '--ref', 'device1', '--secret', 'insecure', '--verify=none',
        '--prepare', 200 or POSIX::_exit(127);
}

ok(main::log_questions('on'), 'logged');
ok(wait_for(sub { sql('SELECT count(*) FROM cmp.certificate WHERE state = 1')
                  > 20 }, 30), 'many are confirmed');

my $before = main::questions();
my $from = Time::HiRes::time();
my $connections = 0;

while (Time::HiRes::time() < $from + 2) {
    raw("GET $uri HTTP/1.1\r\nHost: a\r\n\r\n" x 999
        . "GET $uri HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    $connections++;
}

my $time = Time::HiRes::time() - $from;
my $asked = main::questions() - $before;
my $confirmed = sql('SELECT count(*) FROM cmp.certificate WHERE state = 1');

# of the worker that has the connection, of one that gets the next, and looks;
# part of the time the client reads

cmp_ok($asked, '<=', $time / 0.02 + $connections + 2 * (1 + $time),
       'few questions') or diag("$connections connections, $confirmed enrolled");
kill 'TERM', $pid;
waitpid $pid, 0;

main::log_questions('off');



=== what this nginx revokes is in the next answer of each worker
--- http_config eval
main::default_http_config()
--- test
my $child = main::keep_asking();

for my $n (1 .. 5) {
    my $key = newkey();
    my ($status, $out) = client('ir', '-ref', 'device1', '-secret',
        'pass:insecure', '-subject', "/CN=soon$n", '-newkey', $key,
        '-certout', tmp('soon.pem'));
    is($status, 0, 'a certificate') or diag($out);

    ($status, $out) = client('rr', '-cert', tmp('soon.pem'), '-key', $key,
        '-oldcert', tmp('soon.pem'), '-revreason', 4);
    is($status, 0, 'rr') or diag($out);

    my @r = map { http('GET', $uri) } 1 .. 4;
    my $serial = sql("SELECT encode(serial, 'hex') FROM cmp.certificate
                      WHERE subject = 'CN=soon$n'");

    is(scalar(grep { index($_->{body}, pack 'H*', $serial) >= 0 } @r), 4,
       'in every answer');
}

kill 'TERM', $child;
waitpid $child, 0;



=== nobody gets less while nginx reloads
--- http_config eval
main::default_http_config()
--- test
for my $n (1 .. 3) {
    ok(reload(), 'reload');

    my %statuses = map { http('GET', $uri)->{status} => 1 } 1 .. 20;

    is(join(' ', keys %statuses), '200', 'all were answered');
}



=== the database is away, and only one worker was ever asked
--- http_config eval
main::default_http_config(http => 'log_format pid "$pid $status"; '
                                  . 'access_log logs/pid.log pid;')
--- test
is(http('GET', $uri)->{status}, 200, 'one of them');

my $number = sql('SELECT max(number) FROM cmp.crl');

ok(wait_for(sub {
    my %pids = map { $_ => 1 } error_log() =~ /(\d+)#.* CRL $number read/g;

    return keys %pids >= 2;
}, 20), 'both have it');

CMPTest::cluster('stop', 'fast');

is(main::everywhere(), 1, 'the same everywhere');

CMPTest::cluster('start');
