package CMPWait;

# Copyright (C) ngx_http_cmp_module contributors
#
# Obstructions, for test files about waiting: requests are held where they are
# until the test has seen what it wants to see.
#
#     lock_table(TABLE, MODE)
#                   takes a lock and keeps it: on "credential" in ACCESS
#                   EXCLUSIVE mode (the default) a load waits for it, on
#                   "certificate" in SHARE mode a commit does
#     unlock()      gives all of them back
#     blocked(N)    waits until N statements wait for a lock
#     backends()    process ids of the server for our connections
#     send_to(TEXT) a connection on which TEXT was sent
#     answer(SOCK)  the first response that comes on it until the end
#     readable(SOCK, SECONDS)
#                   is there anything to read, or the end?
#     workers_of(PID)
#                   process ids of the children of a master process
#     open_files(PID, PATTERN)
#                   number of descriptors of a process, all or those whose
#                   file matches
#     log_lines(NAME)
#                   lines of a file in the log folder
#     background(SHELL)
#                   a command that runs beside, its process id; see finish()
#     finish(PID)   waits for it: its exit code

use strict;
use warnings;

use CMPRaw ();
use CMPTest ();
use Exporter qw(import);
use IO::Socket::INET;
use POSIX ();

our @EXPORT = qw(lock_table unlock blocked backends send_to answer readable
                 workers_of open_files log_lines background finish);

my (@locks, %children);


sub background {
    my $command = shift;
    my $pid = fork() // die "fork() failed: $!";

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        exec('/bin/sh', '-c', $command) or POSIX::_exit(127);
    }

    $children{$pid} = 1;

    return $pid;
}


sub finish {
    my $pid = shift;

    waitpid $pid, 0;
    delete $children{$pid};

    return $? & 127 ? 128 + ($? & 127) : $? >> 8;
}


sub lock_table {
    my ($table, $mode) = @_;
    my $id = int rand 1e9;

    $mode //= 'ACCESS EXCLUSIVE';

    my $pid = fork() // die "fork() failed: $!";

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', '/dev/null';
        open STDERR, '>', '/dev/null';
        exec('psql', '-XAtq', '-d', CMPTest::admin_conninfo()
                                    . " application_name=lock-$id",
             '-c', "BEGIN; LOCK TABLE cmp.$table IN $mode MODE; "
                   . 'SELECT pg_sleep(600)') or POSIX::_exit(127);
    }

    $children{$pid} = 1;
    push @locks, [$pid, "lock-$id"];

    return CMPTest::wait_for(sub {
        CMPTest::sql("SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a
                      USING (pid) WHERE l.granted
                      AND l.relation = 'cmp.$table'::regclass
                      AND a.application_name = 'lock-$id'") eq '1' }, 10)
        || die "no lock on $table";
}


sub unlock {
    for my $lock (splice @locks) {
        my ($pid, $name) = @$lock;

        CMPTest::sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                      WHERE application_name = '$name'");
        finish($pid);
    }
}


sub blocked {
    my $n = shift;

    return CMPTest::wait_for(sub {
        CMPTest::sql("SELECT count(*) FROM pg_stat_activity
                      WHERE usename = 'cmp_server'
                      AND wait_event_type = 'Lock'
                      AND datname = current_database()") eq $n }, 10);
}


sub backends {
    my @pids = split /\n/, CMPTest::sql(
        "SELECT pid FROM pg_stat_activity WHERE usename = 'cmp_server'
         AND datname = current_database() ORDER BY pid");

    return @pids;
}


sub send_to {
    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                     PeerPort => $CMPTest::Port)
                   or die "connect() failed: $!";

    $sock->autoflush(1);
    print $sock shift;

    return $sock;
}


sub answer {
    my $sock = shift;
    my ($first) = CMPRaw::responses(do { local $/; <$sock> });

    return $first // { status => 0, headers => {}, body => '' };
}


sub readable {
    my ($sock, $seconds) = @_;
    my $set = '';

    vec($set, fileno $sock, 1) = 1;

    return select($set, undef, undef, $seconds) > 0;
}


sub workers_of {
    my $master = shift;
    my @pids;

    for my $file (glob '/proc/[0-9]*/stat') {
        my $stat = CMPTest::slurp($file);

        next if $stat !~ /^(\d+) \(.*\) (\S) (\d+)/s;
        push @pids, $1 if $3 == $master && $2 ne 'Z';
    }

    @pids = sort { $a <=> $b } @pids;

    return @pids;
}


sub open_files {
    my ($pid, $pattern) = @_;
    my @files = map { readlink $_ } glob "/proc/$pid/fd/*";

    @files = grep { defined $_ && /$pattern/ } @files if defined $pattern;

    return scalar @files;
}


sub log_lines {
    my @lines = split /\n/,
                CMPTest::slurp("$ENV{TEST_NGINX_SERVROOT}/logs/$_[0]");

    return @lines;
}


END {
    kill 'KILL', keys %children if %children;
}


1;
