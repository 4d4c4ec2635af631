# Copyright (C) ngx_http_cmp_module contributors
#
# Connections to the database: the queue is full or slow, they are ended in
# the middle of something, the server refuses them or to write.

use lib 't/lib';
use CMPTest;
use CMPRaw;
use CMPWait;

own_cluster();
credential(reference => 'device1', secret => 'insecure');

our $count = 0;
our $one = default_http_config(store => 'connections=1 queue=2 timeout=20s');
our $two = default_http_config(store => 'connections=2 timeout=2s');

sub fresh {
    $count++;

    return message('ir', '-ref', 'device1', '-secret', 'pass:insecure',
        '-subject', "/CN=conn-$count", '-newkey', newkey(),
        '-implicit_confirm');
}

sub text { return request('/pkix/', fresh(), Connection => 'close') }

sub stored {
    return sql("SELECT count(*) FROM cmp.certificate
                WHERE subject = 'CN=conn-" . ($_[0] // $count) . "'");
}

sub accepted {
    my ($r, $name) = @_;

    is(body($r->{body}), 1, "$name: ip")
        or diag($r->{status}, ' ', status($r->{body})->[1]);
}

sub unavailable {
    my ($r, $name) = @_;

    is($r->{status}, 200, "$name: status");
    is(body($r->{body}), 23, "$name: error");
    is(status($r->{body})->[2], 24, "$name: systemUnavail");
}

# until one succeeds

sub back {
    my $name = shift;

    ok(wait_for(sub { body(post('/pkix/', fresh())->{body}) == 1 }, 20),
       "$name: back without a reload");
}

sub terminate {
    return sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE usename = 'cmp_server' $_[0]");
}

run_tests();

__DATA__

=== the queue is full
--- http_config eval: $main::one
--- test
accepted(post('/pkix/', fresh()), 'before');
lock_table('credential');

my @socks = map { send_to(text()) } 1 .. 3;

ok(blocked(1), 'one waits for the lock, two for the connection');

my $from = Time::HiRes::time();

unavailable(post('/pkix/', fresh()), 'one too many');
cmp_ok(Time::HiRes::time() - $from, '<', 2, 'at once');
is(stored(), 0, 'it was not done');

unlock();
accepted(answer($_), 'the others') for @socks;
accepted(post('/pkix/', fresh()), 'then');
--- error_log
too many requests wait for the database



=== what a worker does on its own takes no place in the queue
--- http_config eval: $main::one
--- test
accepted(post('/pkix/', fresh()), 'before');
lock_table('credential');

my @socks = map { send_to(text()) } 1 .. 3;

ok(blocked(1), 'one waits for the lock, two for the connection');

# longer than the time between two sweeps

Time::HiRes::sleep(6);
unavailable(post('/pkix/', fresh()), 'one too many');
unlock();
accepted(answer($_), 'the others') for @socks;
--- error_log
too many requests wait for the database



=== the queue is slow
--- http_config eval
main::default_http_config(
    store => 'connections=1 timeout=20s queue_timeout=400ms')
--- test
accepted(post('/pkix/', fresh()), 'before');
lock_table('credential');

my $first = send_to(text());
ok(blocked(1), 'one waits for the lock');

my $from = Time::HiRes::time();

unavailable(post('/pkix/', fresh()), 'another one');

my $took = Time::HiRes::time() - $from;

cmp_ok($took, '>', 0.3, 'after a while');
cmp_ok($took, '<', 5, 'but not too long');

unlock();
accepted(answer($first), 'the first one');
--- error_log
no free connection in 400ms, 1 operations are waiting



=== idle connections are ended by the server
--- http_config eval: $main::two
--- test
accepted(post('/pkix/', fresh()), 'before');
ok(wait_for(sub { backends() == 2 }, 5), 'two connections');
is(terminate(''), 2, 'are ended');
accepted(post('/pkix/', fresh()), 'nobody notices');
ok(wait_for(sub { backends() == 2 }, 5), 'two connections again');



=== while it loads: the load is repeated
--- http_config eval: $main::two
--- test
accepted(post('/pkix/', fresh()), 'before');
ok(wait_for(sub { backends() == 2 }, 5), 'two connections');
lock_table('credential');

my $sock = send_to(text());

ok(blocked(1), 'waits');
is(terminate("AND wait_event_type = 'Lock'"), 1, 'is ended');
ok(blocked(1), 'waits again, on another connection');
unlock();
accepted(answer($sock), 'then');
is(stored(), 1, 'stored');



=== twice: that is enough
--- http_config eval: $main::two
--- test
accepted(post('/pkix/', fresh()), 'before');
ok(wait_for(sub { backends() == 2 }, 5), 'two connections');
lock_table('credential');

my $sock = send_to(text());

for (1 .. 2) {
    ok(blocked(1), 'waits');
    is(terminate("AND wait_event_type = 'Lock'"), 1, 'is ended');
}

unavailable(answer($sock), 'then');
unlock();
back('twice');



=== while it commits, and nothing was committed
--- http_config eval: $main::two
--- test
accepted(post('/pkix/', fresh()), 'before');
lock_table('certificate', 'SHARE');

my $message = fresh();
my $sock = send_to(request('/pkix/', $message, Connection => 'close'));

ok(blocked(1), 'waits');
is(terminate("AND wait_event_type = 'Lock'"), 1, 'is ended');

# it may have been the last thing that the server did

unavailable(answer($sock), 'then');
unlock();
is(stored(), 0, 'nothing was stored');

ok(wait_for(sub { body(post('/pkix/', $message)->{body}) == 1 }, 10),
   'who asks again gets it');
is(stored(), 1, 'one certificate');
--- error_log
the database was lost during a commit that may have happened



=== while it commits, and it was committed: who asks again gets the answer
--- http_config eval: $main::two
--- test
accepted(post('/pkix/', fresh()), 'before');

# a commit that waits for a standby which is not there

sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
sql('SELECT pg_reload_conf()');
ok(wait_for(sub { sql('SHOW synchronous_standby_names') eq 'nobody' }, 10),
   'set');

my $message = fresh();

unavailable(post('/pkix/', $message), 'when the time is over');
is(stored(), 0, 'not to be seen as yet');

sql('ALTER SYSTEM RESET synchronous_standby_names');
sql('SELECT pg_reload_conf()');
ok(wait_for(sub { stored() == 1 }, 10), 'it is stored');

my $r;

ok(wait_for(sub { $r = post('/pkix/', $message); body($r->{body}) == 1 }, 10),
   'who asks again gets the answer');
is(status($r->{body})->[0], 0, 'accepted');
is(stored(), 1, 'one certificate');
is(sql("SELECT count(*) FROM cmp.certificate c JOIN cmp.transaction t
        ON c.transaction_id = t.id WHERE c.subject = 'CN=conn-$count'
        AND position(c.der in '\\x" . unpack('H*', $r->{body}) . "') > 0"), 1,
   'it is that one');
--- error_log
the database was lost during a commit that may have happened



=== a server that does not write
--- http_config eval: $main::two
--- test
accepted(post('/pkix/', fresh()), 'before');
sql("ALTER DATABASE cmp SET default_transaction_read_only = on");
terminate('');

my $message = fresh();

ok(wait_for(sub { status(post('/pkix/', $message)->{body})->[2] == 24 }, 10),
   'systemUnavail');
is(stored(), 0, 'nothing is stored');

# psql would not write either

local $ENV{PGOPTIONS} = '-c default_transaction_read_only=off';
sql("ALTER DATABASE cmp RESET default_transaction_read_only");
back('writable');



=== a server that lets nobody in, and says so once
--- http_config eval: $main::two
--- log_level: warn
--- test
accepted(post('/pkix/', fresh()), 'before');
sql('ALTER ROLE cmp_server NOLOGIN');
terminate('');

ok(wait_for(sub { error_log() =~ /not permitted to log in/ }, 10), 'refused');
unavailable(post('/pkix/', fresh()), 'refused');
Time::HiRes::sleep(1.5);
unavailable(post('/pkix/', fresh()), 'still');

my @said = error_log() =~ /connect to .*not permitted to log in/g;

is(scalar @said, 1, 'one line');
is(http('GET', '/none')->{status}, 404, 'others are served');

sql('ALTER ROLE cmp_server LOGIN');
back('let in');



=== a schema that is too new, and then right
--- http_config eval: $main::two
--- test
accepted(post('/pkix/', fresh()), 'before');

my $body = sql("SELECT prosrc FROM pg_proc WHERE proname = 'schema_version'");
my $define = sql("SELECT pg_get_functiondef('cmp.schema_version()'::regprocedure)");
my $wrong = $define;

$wrong =~ s/\Q$body\E/ SELECT 4711 /;
sql($wrong);
terminate('');
ok(wait_for(sub { error_log() =~ /schema version 4711, this module needs/ }, 10),
   'the log says it');
unavailable(post('/pkix/', fresh()), 'the wrong version');

sql($define);
back('the right version');



=== the first of two hosts is away
--- http_config eval
my $text = main::default_http_config(store => 'timeout=2s');
$text =~ s{host=(\S+)}{host=/nonexistent,$1};
$text
--- test
accepted(post('/pkix/', fresh()), 'the second one serves');



=== many connections, all at once
--- http_config eval
main::default_http_config(store => 'connections=8')
--- test

# the worker has 64 connections for both sides

my @texts = map { text() } 1 .. 40;
my @socks = map { send_to($_) } @texts;

is(scalar(grep { body(answer($_)->{body}) == 1 } @socks), 40, 'all are served');
cmp_ok(scalar backends(), '<=', 8, 'by no more connections');
