# Copyright (C) ngx_http_cmp_module contributors
#
# Reload, quit, upgrade under load: what a client has received is in the store,
# no request is lost, no process and no connection to the database stays.

use lib 't/lib';
use CMPTest;
use CMPRaw;
use CMPWait;

master_on();
workers(2);

credential(reference => 'device1', secret => 'insecure');

our $http = default_http_config(store => 'connections=2 timeout=10s');

my $run = 0;

# Clients that enrol until there is a file "stop": for each enrolment a line
# with the exit code, and the certificate, if there is one.  A connection for
# each message: on one that is kept, a request may cross its end.

sub clients {
    my $n = shift;
    my $dir = tmp('load-' . ++$run);

    mkdir $dir;
    newkey();

    my $trusted = pki('root.pem');
    my $ca = pki('ca.pem');
    my @pids = map {
        background(<<"_EOC_") } 1 .. $n;
i=0
while [ ! -e $dir/stop ]; do
    i=\$((i + 1))
    f=$dir/$_-\$i
    openssl genpkey -algorithm ED25519 -out \$f.key 2>/dev/null
    openssl cmp -config '' -no_proxy 127.0.0.1 -server 127.0.0.1:${\port()} \\
        -path pkix/ -keep_alive 0 -trusted $trusted -untrusted $ca \\
        -cmd ir -ref device1 -secret pass:insecure -subject /CN=load-$run \\
        -newkey \$f.key -certout \$f.pem -msg_timeout 10 >\$f.log 2>&1
    echo \$? >>$dir/codes.$_
    [ -e \$f.pem ] || cp \$f.log $dir/failed.\$i.$_
done
_EOC_

    return { dir => $dir, pids => \@pids, run => $run };
}

sub stop {
    my $load = shift;

    open my $fh, '>', "$load->{dir}/stop" or die;
    finish($_) for @{$load->{pids}};

    my @codes = map { split /\n/, CMPTest::slurp($_) }
                glob "$load->{dir}/codes.*";
    my @certs = glob "$load->{dir}/*.pem";

    return (\@codes, \@certs);
}

sub done {
    my ($load, $n) = @_;

    return wait_for(sub {
        my @certs = glob "$load->{dir}/*.pem";
        return @certs >= $n;
    }, 30);
}

# each certificate that a client has is in the store

sub received {
    my ($certs, $name) = @_;
    my %stored = map { lc $_ => 1 } split /\n/, sql(
        "SELECT encode(serial, 'hex') FROM cmp.certificate");
    my @missing = grep {
        my ($status, $out) = execute('openssl', 'x509', '-in', $_, '-noout',
                                     '-serial');
        $out =~ /serial=(.*)/ ? !$stored{lc $1} : 1;
    } @$certs;

    is(scalar @missing, 0, "$name: what was received is stored")
        or diag(@missing);
}

sub all_good {
    my ($load, $name) = @_;
    my ($codes, $certs) = stop($load);
    my @bad = grep { $_ ne 0 } @$codes;

    is(scalar @bad, 0, "$name: no enrolment has failed") or diag(map {
        CMPTest::slurp($_) } (glob "$load->{dir}/failed*")[0 .. 2]);
    cmp_ok(scalar @$certs, '>', 5, "$name: " . @$certs . ' of them');
    received($certs, $name);
    is(sql("SELECT count(*) FROM cmp.certificate WHERE state = 1
            AND subject = 'CN=load-$load->{run}'"), scalar @$certs,
       "$name: all are confirmed, there are no others");
}

# 2 connections for each of the 2 workers

sub quiet {
    my ($name, $workers) = @_;

    $workers //= 2;

    ok(wait_for(sub { workers_of(nginx_pid()) == $workers }, 15),
       "$name: $workers workers") or diag(join ' ', workers_of(nginx_pid()));
    ok(wait_for(sub { backends() == 2 * $workers }, 15),
       "$name: " . 2 * $workers . ' connections to the database')
        or diag(scalar backends());
}

# nginx is started as the test framework starts it

sub start {
    my $root = $ENV{TEST_NGINX_SERVROOT};
    my ($status, $out) = execute($ENV{TEST_NGINX_BINARY}, '-e',
        "$root/logs/error.log", '-p', "$root/", '-c',
        "$root/conf/nginx.conf");

    is($status, 0, 'nginx starts') or diag($out);

    return wait_for(sub { http('GET', '/none')->{status} == 404 }, 10);
}

run_tests();

__DATA__

=== reload
--- http_config eval: $main::http
--- test
quiet('before');

my $load = clients(3);

ok(done($load, 3), 'enrolments go on');

for my $n (1 .. 5) {
    ok(reload(), "reload $n");
    Time::HiRes::sleep(0.3);
}

ok(done($load, 8), 'still');
all_good($load, 'reload');
quiet('reload');



=== a configuration that is wrong changes nothing
--- http_config eval: $main::http
--- test
my $file = "$ENV{TEST_NGINX_SERVROOT}/conf/nginx.conf";
my $text = CMPTest::slurp($file);
my @workers = workers_of(nginx_pid());
my $load = clients(2);

sub write_conf {
    open my $fh, '>', $file or die;
    print $fh shift;
    close $fh;
}

my $n = 0;

for my $change (['certificate_key', pki('other-root.key')],
                ['validity', '0'], ['cmp_pass', 'nosuch'])
{
    my ($name, $value) = @$change;
    my $wrong = $text;

    $n++;
    $wrong =~ s/^(.*\b$name\s+)\S+;/$1$value;/m or die;
    write_conf($wrong);
    kill 'HUP', nginx_pid();
    ok(wait_for(sub {
        my $emerg = () = error_log() =~ /\[emerg\]/g;
        return $emerg == $n }, 10), "$name is refused");
}

write_conf($text);
ok(done($load, 8), 'enrolments go on');
is(join(' ', workers_of(nginx_pid())), join(' ', @workers), 'the same workers');
all_good($load, 'wrong configuration');
--- alert_ok



=== one that is right changes something
--- http_config eval: $main::http
--- test
my $file = "$ENV{TEST_NGINX_SERVROOT}/conf/nginx.conf";
my $text = CMPTest::slurp($file);

sub days {
    my ($status, $out) = client('ir', '-ref', 'device1', '-secret',
        'pass:insecure', '-subject', '/CN=days', '-newkey', newkey(),
        '-certout', tmp('days.pem'));
    is($status, 0, 'ir') or diag($out);

    return sql("SELECT round(extract(epoch FROM not_after - issued_at) / 86400)
                FROM cmp.certificate WHERE subject = 'CN=days'
                ORDER BY issued_at DESC LIMIT 1");
}

is(days(), 30, 'before');

$text =~ s/validity\s+30d/validity 12d/ or die;
open my $fh, '>', $file or die;
print $fh $text;
close $fh;

ok(reload(), 'reload');
quiet('reload');
is(days(), 12, 'after');



=== requests that wait when the worker is to go
--- http_config eval: $main::http
--- test
my @old = workers_of(nginx_pid());

lock_table('certificate', 'SHARE');

my $message = message('ir', '-ref', 'device1', '-secret', 'pass:insecure',
    '-subject', '/CN=waits', '-newkey', newkey(), '-implicit_confirm');
my $sock = send_to(request('/pkix/', $message, Connection => 'close'));

ok(blocked(1), 'a commit waits');
ok(reload(), 'reload');

# the other one goes, with its connections

ok(wait_for(sub { workers_of(nginx_pid()) == 3 }, 10), 'one old worker stays');
ok(!readable($sock, 0.5), 'no answer yet');
ok(blocked(1), 'still waits');

unlock();
is(body(answer($sock)->{body}), 1, 'the answer');

quiet('then');

my %old = map { $_ => 1 } @old;

is(scalar(grep { $old{$_} } workers_of(nginx_pid())), 0, 'all are new');
is(sql("SELECT state FROM cmp.certificate WHERE subject = 'CN=waits'"), 1,
   'the certificate');



=== a load that waits, and requests in the queue
--- http_config eval: $main::http
--- test
my @texts = map { request('/pkix/', message('ir', '-ref', 'device1',
    '-secret', 'pass:insecure', '-subject', "/CN=queue-$_", '-newkey', newkey(),
    '-implicit_confirm'), Connection => 'close') } 1 .. 10;

lock_table('credential');

my @socks = map { send_to($_) } @texts;

ok(wait_for(sub { sql("SELECT count(*) FROM pg_stat_activity
                       WHERE usename = 'cmp_server'
                       AND datname = current_database()
                       AND wait_event_type = 'Lock'") >= 2 }, 10),
   'some wait for the lock, others for a connection');

ok(reload(), 'reload');
ok(!readable($socks[0], 0.3), 'no answer yet');
unlock();

for my $n (1 .. 10) {
    my $r = answer($socks[$n - 1]);

    is(body($r->{body}), 1, "answer $n");
    is(status($r->{body})->[0], 0, "answer $n: accepted");
}

is(sql("SELECT count(*) FROM cmp.certificate WHERE subject LIKE 'CN=queue-%'
        AND state = 1"), 10, 'all are there');
quiet('then');



=== worker_shutdown_timeout ends what waits
--- main_config
worker_shutdown_timeout 1s;
--- http_config eval: $main::http
--- test
quiet('before');
lock_table('credential');

my $load = send_to(request('/pkix/', message('ir', '-ref', 'device1', '-secret',
    'pass:insecure', '-subject', '/CN=forced', '-newkey', newkey())));

ok(blocked(1), 'a load waits');
my $from = Time::HiRes::time();

ok(reload(), 'reload');
ok(wait_for(sub { workers_of(nginx_pid()) == 2 }, 8), 'the old one has gone');
cmp_ok(Time::HiRes::time() - $from, '<', 6, 'soon');

unlock();
quiet('then');
is(sql("SELECT count(*) FROM cmp.certificate WHERE subject = 'CN=forced'"), 0,
   'nothing was issued');

# a commit that is under way may have happened, or not: never half

lock_table('certificate', 'SHARE');

my $message = message('ir', '-ref', 'device1', '-secret', 'pass:insecure',
    '-subject', '/CN=forced', '-newkey', newkey(), '-implicit_confirm');

my $sock = send_to(request('/pkix/', $message));

ok(blocked(1), 'a commit waits');
ok(reload(), 'reload');
ok(wait_for(sub { workers_of(nginx_pid()) == 2 }, 8), 'the old one has gone');
unlock();
ok(blocked(0), 'the statement ends');

my $r = post('/pkix/', $message);

is(body($r->{body}), 1, 'who asks again is answered');
is(status($r->{body})->[0], 0, 'accepted');
is(sql("SELECT count(*) FROM cmp.certificate WHERE subject = 'CN=forced'"), 1,
   'one certificate');
quiet('then');



=== a client that repeats what was not answered, on connections that are kept
--- http_config eval: $main::http
--- test
my (@names, $sock);
my $repeats = 0;

sub one {
    my $text = shift;

    for (1 .. 5) {
        $sock //= IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                        PeerPort => port()) // next;
        $sock->autoflush(1);

        my $all = '';

        local $SIG{PIPE} = 'IGNORE';
        print $sock $text;

        while (sysread $sock, $all, 65536, length $all) {
            my ($r) = responses($all);

            last if $r->{status} > 0
                    && length $r->{body} == $r->{headers}{'content-length'};
        }

        my ($r) = responses($all);

        if (!$r || ($r->{headers}{connection} // '') eq 'close') {
            close $sock;
            undef $sock;
        }

        return $r if $r;
        $repeats++;
    }

    return { status => 0, body => '' };
}

my @texts = map { request('/pkix/', message('ir', '-ref', 'device1', '-secret',
    'pass:insecure', '-subject', "/CN=kept-$_", '-newkey', newkey(),
    '-implicit_confirm')) } 1 .. 40;

for my $n (1 .. 40) {
    kill 'HUP', nginx_pid() if $n % 8 == 0;

    my $r = one($texts[$n - 1]);

    is($r->{status}, 200, "answer $n") if $r->{status} != 200;
    push @names, $n if body($r->{body}) == 1;
    Time::HiRes::sleep(0.02);
}

is(scalar @names, 40, "all were answered, $repeats repeated");
is(sql("SELECT count(*) FROM cmp.certificate WHERE subject LIKE 'CN=kept-%'
        AND state = 1"), 40, 'and stored once');
quiet('then');



=== quit
--- http_config eval: $main::http
--- test
my $load = clients(3);
my $master = nginx_pid();

ok(done($load, 5), 'enrolments go on');

kill 'QUIT', $master;
ok(wait_for(sub { !-d "/proc/$master" }, 20), 'nginx has ended');

my ($codes, $certs) = stop($load);

received($certs, 'quit');
is(scalar backends(), 0, 'no connection is left');

# whoever was answered may have been too late to confirm

is(sql("SELECT count(*) FROM cmp.certificate WHERE state = 1
        AND subject = 'CN=load-$load->{run}'")
   >= grep({ $_ eq 0 } @$codes), 1, 'what was confirmed is valid');
is(http('GET', '/')->{status}, 0, 'nobody is there');
ok(start(), 'and there again');



=== term, in the middle of it
--- http_config eval: $main::http
--- test
my $load = clients(3);
my $master = nginx_pid();

ok(done($load, 5), 'enrolments go on');

kill 'TERM', $master;
ok(wait_for(sub { !-d "/proc/$master" }, 20), 'nginx has ended');

my ($codes, $certs) = stop($load);

received($certs, 'term');
ok(wait_for(sub { backends() == 0 }, 5), 'no connection is left');
ok(start(), 'and there again');



=== a worker that is killed
--- http_config eval: $main::http
--- test
quiet('before');

my ($first) = workers_of(nginx_pid());
my $load = clients(2);

ok(done($load, 3), 'enrolments go on');
kill 'KILL', $first;

Time::HiRes::sleep(1);

my ($codes, $certs) = stop($load);

received($certs, 'kill');
quiet('then');

my ($status, $out) = client('ir', '-ref', 'device1', '-secret',
    'pass:insecure', '-subject', '/CN=killed', '-newkey', newkey(),
    '-certout', tmp('killed.pem'));
is($status, 0, 'goes on') or diag($out);
--- alert_ok



=== binary upgrade
--- http_config eval: $main::http
--- test
my $load = clients(3);
my $old = nginx_pid();
my $root = "$ENV{TEST_NGINX_SERVROOT}/logs";

ok(done($load, 3), 'enrolments go on');

kill 'USR2', $old;
ok(wait_for(sub { -s "$root/nginx.pid.oldbin" && -s "$root/nginx.pid" }, 20),
   'a new master process');

my $new = nginx_pid();

isnt($new, $old, 'another one');
ok(wait_for(sub { workers_of($new) == 2 }, 10), 'with workers');
ok(wait_for(sub { backends() == 8 }, 10), 'twice the connections');

kill 'WINCH', $old;
ok(wait_for(sub { workers_of($old) == 0 || join(' ', workers_of($old)) eq $new },
            20), 'the old workers have gone');
kill 'QUIT', $old;
ok(wait_for(sub { !-d "/proc/$old" }, 20), 'the old master has gone');

ok(done($load, 20), 'enrolments go on');
all_good($load, 'upgrade');
quiet('upgrade');
