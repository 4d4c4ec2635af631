# Copyright (C) ngx_http_cmp_module contributors
#
# The client goes away in each of the waits that a request may be in.

use lib 't/lib';
use CMPTest;
use CMPRaw;
use CMPWait;

credential(reference => 'device1', secret => 'insecure');

our $count = 0;

# what a worker holds when nothing is under way

our ($files, $backends);

our $http = default_http_config(
    store => 'connections=2 timeout=30s',
    ca => 'max_iterations 10000000; thread_pool auto queue=4;',
    http => 'log_format abort "$status $cmp_operation $bytes_sent"; '
            . 'access_log logs/abort.log abort;');

our $one = $http;
$one =~ s/connections=2/connections=1/;

our $rest = default_http_config(store => 'connections=2 timeout=30s');

sub fresh {
    $count++;

    return message('ir', '-ref', 'device1', '-secret', 'pass:insecure',
        '-subject', "/CN=abort-$count", '-newkey', newkey(),
        '-implicit_confirm', @_);
}

sub stored {
    return sql("SELECT count(*) FROM cmp.certificate
                WHERE subject = 'CN=abort-$count'");
}

# a few good ones, so that everything has been opened that is kept open

sub settle {
    my $connections = shift // 2;

    is(body(post('/pkix/', fresh())->{body}), 1, 'before') for 1 .. 3;

    ok(wait_for(sub { backends() == $connections }, 5), 'connections');
    ($files, $backends) = (open_files(nginx_pid()), scalar backends());
}

# the number of lines of the access log, and the last one

sub logged {
    my $n = shift;
    my @lines;

    wait_for(sub { @lines = log_lines('abort.log'); @lines >= $n }, 60);

    return $lines[$n - 1] // 'nothing was logged';
}

sub all_well {
    my $name = shift;

    is(body(post('/pkix/', fresh())->{body}), 1, "$name: goes on");
    ok(wait_for(sub { open_files(nginx_pid()) <= $files }, 5),
       "$name: no descriptor is left") or diag(open_files(nginx_pid()),
                                               " were $files");
    is(scalar backends(), $backends, "$name: as many connections");

    # what a worker does of its own accord is over at once

    ok(wait_for(sub { sql("SELECT count(*) FROM pg_stat_activity
            WHERE usename = 'cmp_server' AND state <> 'idle'
            AND datname = current_database()") == 0 }, 5),
       "$name: none is busy, or in a transaction");
}

run_tests();

__DATA__

=== while the body is read
--- http_config eval: $main::http
--- test
settle();

for my $n (0 .. 2) {
    my $text = request('/pkix/', fresh());
    my $head = index $text, "\r\n\r\n";
    my $sock = send_to(substr($text, 0,
                              [$head, $head + 10, length($text) - 1]->[$n]));

    Time::HiRes::sleep(0.1);
    close $sock;
}

like(logged(6), qr/^400 - 0$/, 'logged');
all_well('body');



=== while the load waits
--- http_config eval: $main::http
--- test
settle();
lock_table('credential');

my $sock = send_to(request('/pkix/', fresh()));

ok(blocked(1), 'waits');
ok(!readable($sock, 0.2), 'no answer');
close $sock;

like(logged(4), qr/^499 ir 0$/, 'noticed at once');
ok(blocked(1), 'the statement goes on');

unlock();
ok(blocked(0), 'and ends');
is(stored(), 0, 'nothing was issued');
all_well('load');



=== several, and one that stays
--- http_config eval: $main::http
--- test
settle();
lock_table('credential');

my @socks = map { send_to(request('/pkix/', fresh(),
                                  Connection => 'close')) } 1 .. 6;

ok(blocked(2), 'two wait for the lock, the others for a connection');

close $socks[$_] for 0, 2, 3, 5;
like(logged(7), qr/^499/, 'noticed');

unlock();
is(body(answer($socks[$_])->{body}), 1, 'the others are answered') for 1, 4;
all_well('several');



=== while it waits for a connection
--- http_config eval: $main::one
--- test
settle(1);
lock_table('credential');

my $first = send_to(request('/pkix/', fresh(), Connection => 'close'));
ok(blocked(1), 'the first one waits for the lock');

my $second = send_to(request('/pkix/', fresh()));
Time::HiRes::sleep(0.2);
close $second;

like(logged(4), qr/^499 ir 0$/, 'noticed');

unlock();
is(body(answer($first)->{body}), 1, 'the first one is answered');
is(stored(), 0, 'the second one was not done');
all_well('queue');



=== while a thread works
--- http_config eval: $main::http
--- test
settle();

my $message = iterations(fresh(), 6000000, 'insecure');
my $sock = send_to(request('/pkix/', $message));

Time::HiRes::sleep(0.1);
ok(!readable($sock, 0), 'works');
close $sock;

# the request is kept until the thread has done with it

is(http('GET', '/none')->{status}, 404, 'others are served');
like(logged(5), qr/^499/, 'noticed, when the thread had done');
is(stored(), 0, 'nothing was issued');
all_well('thread');

# the message itself was good

my $r = post('/pkix/', $message);
is(body($r->{body}), 1, 'ip') or diag(status($r->{body})->[1]);



=== many at a time in threads
--- http_config eval: $main::http
--- test
settle();

my @socks = map { send_to(request('/pkix/', iterations(fresh(), 500000))) }
            1 .. 8;

Time::HiRes::sleep(0.1);
close $_ for @socks;

ok(logged(11) =~ /^(?:499|200)/, 'all have ended');
all_well('threads');



=== while a commit waits: it is done
--- http_config eval: $main::http
--- test
settle();
lock_table('certificate', 'SHARE');

my $message = fresh();
my $sock = send_to(request('/pkix/', $message));

ok(blocked(1), 'waits');
close $sock;
Time::HiRes::sleep(0.3);
is(scalar(() = log_lines('abort.log')), 3, 'goes on');

unlock();
like(logged(4), qr/^200 ir/, 'ended as if nothing had happened');
is(stored(), 1, 'the certificate is stored');

# the answer that was lost is there for who asks again

my $r = post('/pkix/', $message);
is(body($r->{body}), 1, 'ip');
is(status($r->{body})->[0], 0, 'accepted');
is(stored(), 1, 'once');
all_well('commit');



=== while it waits for its turn, after wrong secrets
--- http_config eval: $main::http
--- test
settle();

my @args = ('ir', '-ref', 'guess', '-secret', 'pass:wrong', '-subject', '/CN=x',
            '-newkey', newkey());

# each one waits longer

my $wait = 0;

for my $n (1 .. 7) {
    my $from = Time::HiRes::time();

    post('/pkix/', message(@args));
    $wait = Time::HiRes::time() - $from;
}

cmp_ok($wait, '>', 0.2, 'has to wait');

my $sock = send_to(request('/pkix/', message(@args)));

Time::HiRes::sleep(0.1);
ok(!readable($sock, 0), 'no answer yet');
close $sock;

like(logged(11), qr/^499 ir 0$/, 'noticed at once');
all_well('delay');



=== while a CRL is asked for
--- http_config eval: $main::http
--- test
settle();
is(http('GET', '/crl/devices.crl')->{status}, 200, 'a CRL');
lock_table('crl');

my $get = "GET /crl/devices.crl HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
my $first = send_to($get);
my $second = send_to($get);

ok(blocked(1), 'one statement for both');
close $first;
like(logged(5), qr/^499/, 'noticed at once');

# one that comes later waits for the next round

my $third = send_to($get);
my $fourth = send_to($get);

Time::HiRes::sleep(0.1);
close $fourth;
like(logged(6), qr/^499/, 'noticed at once');

unlock();
is(answer($second)->{status}, 200, 'the second one is answered');
is(answer($third)->{status}, 200, 'the third one too');
all_well('CRL');



=== over HTTP/2: the stream ends, or the connection
--- http_config eval
$main::http . "server { listen 127.0.0.1:$CMPTest::Port2 http2;
                        location /pkix/ { cmp_pass devices; } }"
--- test
settle();

for my $case (['credential', 'ACCESS EXCLUSIVE', 0],
              ['certificate', 'SHARE', 1])
{
    my ($table, $mode, $stored) = @$case;
    my $file = tmp('h2.der');

    open my $fh, '>', $file or die;
    binmode $fh;
    print $fh fresh();
    close $fh;

    lock_table($table, $mode);

    my ($status, $out) = execute('curl', '-sS', '--noproxy', '*', '-m', '0.7',
        '--http2-prior-knowledge', '-H', 'Content-Type: application/pkixcmp',
        '--data-binary', "\@$file", "http://127.0.0.1:$CMPTest::Port2/pkix/");

    is($status, 28, "$table: curl gives up") or diag($out);
    unlock();
    ok(blocked(0), "$table: the statement ends");
    ok(wait_for(sub { stored() == $stored }, 3), "$table: stored: $stored");
    all_well($table);
}
