# Copyright (C) ngx_http_cmp_module contributors
#
# MACs with many iterations are derived in threads; the limits of their
# number; what a worker does meanwhile, and when it is to end.

use lib 't/lib';
use CMPTest;
use CMPRaw;
use CMPWait;

credential(reference => 'device1', secret => 'insecure');
master_on();

our $count = 0;

# of the server's part of the work, how much

our $many = 2000000;

sub http_config {
    return default_http_config(ca => 'max_iterations 10000000; ' . shift, @_);
}

# a CA that signs in the worker, whatever key the others have

our @fast = (pki => own_pki('P-256'));

sub fresh {
    $count++;

    return message('ir', '-ref', 'device1', '-secret', 'pass:insecure',
        '-subject', "/CN=thread-$count", '-newkey', newkey(),
        '-implicit_confirm');
}

sub slow {
    my $iterations = shift // $many;

    return request('/pkix/', iterations(fresh(), $iterations, 'insecure'),
                   Connection => 'close');
}

sub threads {
    my ($worker) = workers_of(nginx_pid());
    my @tasks = glob "/proc/$worker/task/*";

    return scalar @tasks;
}

# How long others wait while a derivation is under way, at the worst, and how
# long that took; both relative to how fast this machine is.

sub meanwhile {
    my $sock = send_to(shift);
    my $worst = 0;
    my $from = Time::HiRes::time();

    while (!readable($sock, 0)) {
        my $start = Time::HiRes::time();

        is(http('GET', '/else')->{status}, 204, 'another location')
            if http('GET', '/else')->{status} != 204;

        my $took = Time::HiRes::time() - $start;

        $worst = $took if $took > $worst;
    }

    my $all = Time::HiRes::time() - $from;

    is(body(answer($sock)->{body}), 1, 'ip');

    return ($worst, $all);
}

our $locations = default_config() . "location /else { return 204; }\n";

run_tests();

__DATA__

=== other locations do not wait
--- http_config eval: main::http_config('')
--- config eval: $main::locations
--- test
my ($worst, $all) = meanwhile(slow());

cmp_ok($worst, '<', $all / 2, "$worst s of $all s");



=== also where keys are used in the worker
--- http_config eval: main::http_config('thread_pool off;')
--- config eval: $main::locations
--- test
my ($worst, $all) = meanwhile(slow());

cmp_ok($worst, '<', $all / 2, "$worst s of $all s");



=== few iterations need no thread, many do
--- main_config
thread_pool one threads=1;
--- http_config eval: main::http_config('thread_pool one queue=1;', @main::fast)
--- test
# all is made before, so that nothing but the server takes time while the only
# thread is busy

my %message = map { $_ => iterations(fresh(), $_, 'insecure') }
                  (100, 500, 2000, 2001);
my $sock = send_to(request('/pkix/', iterations(fresh(), 4 * $main::many,
    'insecure'), Connection => 'close'));

Time::HiRes::sleep(0.2);
ok(!readable($sock, 0), 'busy');

for my $n (100, 500, 2000) {
    my $r = post('/pkix/', $message{$n});

    is(body($r->{body}), 1, "$n iterations: in the worker");
}

my $r = post('/pkix/', $message{2001});

ok(!readable($sock, 0), 'still busy');

is(body($r->{body}), 23, '2001 iterations: error');
is(status($r->{body})->[2], 24, 'systemUnavail');
is(body(answer($sock)->{body}), 1, 'the first one is answered');

$r = post('/pkix/', iterations(fresh(), 2001, 'insecure'));
is(body($r->{body}), 1, '2001 iterations: in the thread, now that it is free');
--- error_log
cmp_ca "devices": 1 requests wait for a thread



=== too many, too few: refused, nothing is derived
--- test
for my $n (1, 99, 100001, 1000000, 0x7fffffff) {
    my $from = Time::HiRes::time();
    my $r = post('/pkix/', iterations(fresh(), $n));

    is(body($r->{body}), 23, "$n iterations: error");
    is(status($r->{body})->[2], 2, "$n iterations: badRequest");
    cmp_ok(Time::HiRes::time() - $from, '<', 2, "$n iterations: at once");
}

for my $n (100, 100000) {
    my $r = post('/pkix/', iterations(fresh(), $n, 'insecure'));

    is(body($r->{body}), 1, "$n iterations");
}



=== a wrong secret takes as long as a right one
--- http_config eval: main::http_config('')
--- test
my %took;

# what has no derivation in it takes a small part of the time in any round

for my $round (1 .. 5) {

    for my $case (['right', 'insecure'], ['wrong', 'wrong'], ['none', undef]) {
        my ($name, $secret) = @$case;
        my $message = iterations(fresh(), $many, $secret);

        # an unknown reference, as long as the one that is known

        $message =~ s/device1/nobody1/ if $name eq 'none';

        my $from = Time::HiRes::time();

        post('/pkix/', $message);
        $took{$name} = Time::HiRes::time() - $from;
    }

    my $least = $took{right} / 3;

    last if $took{wrong} > $least && $took{none} > $least;
}

cmp_ok($took{wrong}, '>', $took{right} / 3, "wrong: $took{wrong} s");
cmp_ok($took{none}, '>', $took{right} / 3, "unknown: $took{none} s");



=== a reload and a quit wait for the thread
--- http_config eval: main::http_config('')
--- test
my $sock = send_to(slow());
my ($old) = workers_of(nginx_pid());

Time::HiRes::sleep(0.1);
ok(reload(), 'reload');
is(body(answer($sock)->{body}), 1, 'is answered');
ok(wait_for(sub { !-d "/proc/$old" }, 10), 'the old worker has gone');
is(sql("SELECT count(*) FROM cmp.certificate
        WHERE subject = 'CN=thread-$count'"), 1, 'stored');

$sock = send_to(slow());
Time::HiRes::sleep(0.1);

my $master = nginx_pid();

kill 'QUIT', $master;
is(body(answer($sock)->{body}), 1, 'is answered');
ok(wait_for(sub { !-d "/proc/$master" }, 10), 'nginx has ended');
is(sql("SELECT count(*) FROM cmp.certificate
        WHERE subject = 'CN=thread-$count'"), 1, 'stored');



=== a worker that ends without grace
--- main_config
thread_pool one threads=1;
--- http_config eval: main::http_config('thread_pool one;')
--- test
# The one that the thread is at is finished, the others are not begun.  The
# master gives the worker little more than a second, so as many iterations as
# take about half of one, by the fastest of some: with other work beside it one
# may have taken several times as long.

my $fastest = 10;

for (1 .. 4) {
    my $from = Time::HiRes::time();

    post('/pkix/', iterations(fresh(), 400000, 'insecure'));

    my $time = Time::HiRes::time() - $from;

    $fastest = $time if $time < $fastest;
}

my $iterations = int(240000 / $fastest);
my @texts = map { slow($iterations) } 1 .. 3;
my @socks = map { send_to($_) } @texts;
my $master = nginx_pid();

Time::HiRes::sleep(0.1);
kill 'TERM', $master;
ok(wait_for(sub { !-d "/proc/$master" }, 20), 'nginx has ended');
ok(!answer($_)->{body}, 'no answer') for @socks;
is(sql("SELECT count(*) FROM cmp.certificate
        WHERE subject = 'CN=thread-$count'"), 0, 'not stored');

# on a busy machine the threads need more than the second after which nginx's
# master kills its workers

is(join('', grep { /\[alert\]/ && !/exited on signal 9$/ }
        split /^/, error_log()), '', 'no other alert');
--- alert_ok


=== it is the pool of the configuration that works
--- main_config
thread_pool slow threads=3;
--- http_config eval: main::http_config('thread_pool slow;')
--- test
ok(wait_for(sub { body(post('/pkix/', fresh())->{body}) == 1 }, 5), 'up');

# nginx makes those of the pool "cmp" only where it is used

is(threads(), 4, 'three threads and the worker');
