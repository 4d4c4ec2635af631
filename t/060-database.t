# Copyright (C) ngx_http_cmp_module contributors
#
# The database is away, slow, restarted, back: systemUnavail, and nothing is
# issued; no reload is needed.

use lib 't/lib';
use CMPTest;
use CMPWait;

own_cluster();
master_on();

credential(reference => 'device1', secret => 'insecure');

our $n = 0;

# newkey() counts, and children would all count the same

sub key_for {
    my $file = tmp("$_[0].key");

    execute('openssl', 'genpkey', '-algorithm', 'EC', '-pkeyopt',
            'ec_paramgen_curve:P-256', '-out', $file);

    return $file;
}

sub enrol {
    my @more = @_;
    my $name = 'db-' . ++$n;

    return client('ir', '-ref', 'device1', '-secret', 'pass:insecure',
        '-subject', "/CN=$name", '-newkey', key_for($name),
        '-certout', tmp("$name.pem"), '-implicit_confirm',
        '-unprotected_errors', '-msg_timeout', 20, @more);
}

# until one succeeds

sub back {
    return wait_for(sub { (enrol())[0] == 0 }, 20);
}

our $quick = default_http_config(
    store => 'timeout=1s connect_timeout=1s queue_timeout=1s connections=2');

run_tests();

__DATA__

=== stopped and back
--- http_config eval: $main::quick
--- test
my ($status, $out) = main::enrol();
is($status, 0, 'before') or diag($out);

my $before = sql('SELECT count(*) FROM cmp.certificate');

cluster('stop', 'fast');

($status, $out) = main::enrol();
is($status, 1, 'stopped');
like($out, qr/systemUnavail/, 'systemUnavail') or diag($out);

cluster('start');

ok(main::back(), 'back without a reload');
is(sql('SELECT count(*) FROM cmp.certificate'), $before + 1,
   'nothing was issued meanwhile');
--- error_log
cmp_ca "devices"



=== killed under load and back
--- http_config eval: $main::quick
--- test
my ($status, $out) = main::enrol();
is($status, 0, 'before') or diag($out);

my @pids = map {
    my $pid = fork();
    if ($pid == 0) {
        my $good = 0;
        for (1 .. 12) { $main::n = $$ * 100 + $_; $good++ if (main::enrol())[0] == 0 }
        POSIX::_exit($good);
    }
    $pid;
} 1 .. 2;

select undef, undef, undef, 0.5;
cluster('restart', 'immediate');

my $good = 0;
for my $pid (@pids) { waitpid $pid, 0; $good += $? >> 8 }

ok(main::back(), 'back');

# every certificate that a client has is in the store

my @files = glob(tmp('db-*.pem'));
my $found = 0;

for my $file (@files) {
    my ($s, $o) = execute('openssl', 'x509', '-in', $file, '-noout',
                          '-serial');
    my ($serial) = $o =~ /serial=(\w+)/ or next;
    $found++ if sql('SELECT count(*) FROM cmp.certificate '
                    . "WHERE serial = '\\x$serial' AND state = 1") eq '1';
}

cmp_ok(scalar @files, '>', 8, 'some were successful');
is($found, scalar @files, 'every certificate of a client is in the store');
--- timeout: 60



=== slow: the server does not answer in time
--- http_config eval: $main::quick
--- test
my ($status, $out) = main::enrol();
is($status, 0, 'before') or diag($out);

my $before = sql('SELECT count(*) FROM cmp.certificate');
my @backends = split ' ', sql(q{SELECT string_agg(pid::text, ' ')
    FROM pg_stat_activity WHERE application_name = 'nginx-cmp'});

ok(@backends > 0, 'backends');
kill 'STOP', @backends;

my $start = time();

($status, $out) = main::enrol();
is($status, 1, 'slow');
like($out, qr/systemUnavail/, 'systemUnavail') or diag($out);
ok(time() - $start < 10, 'in time');

kill 'CONT', @backends;

ok(main::back(), 'back');
cmp_ok(sql('SELECT count(*) FROM cmp.certificate'), '<=', $before + 2,
       'nothing more was issued');



=== a lock that others hold for too long
--- http_config eval: $main::quick
--- test
lock_table('certificate');

my ($status, $out) = main::enrol();
is($status, 1, 'refused');
like($out, qr/systemUnavail/, 'systemUnavail') or diag($out);

unlock();

ok(main::back(), 'back');



=== 503 where so configured
--- http_config eval
main::default_http_config(store => 'timeout=1s connect_timeout=1s',
                          ca => 'unavailable_status 503;')
--- test
my ($status, $out) = main::enrol('-reqout', tmp('req.der'));
is($status, 0, 'before') or diag($out);

cluster('stop', 'fast');

($status, $out) = client('ir', '-ref', 'device1', '-secret', 'pass:insecure',
    '-subject', '/CN=db-503', '-newkey', newkey('P-256'), '-certout',
    tmp('503.pem'), '-reqout', tmp('req.der'));
isnt($status, 0, 'stopped');

my $answer = http('POST', '/pkix/', CMPTest::slurp(tmp('req.der')),
                  'Content-Type' => 'application/pkixcmp');
is($answer->{status}, 503, 'status 503');
ok($answer->{headers}{'retry-after'}, 'Retry-After');
is($answer->{headers}{'content-type'}, 'application/pkixcmp', 'CMP');

cluster('start');
ok(main::back(), 'back');



=== away when the workers start
--- http_config eval: $main::quick
--- test
cluster('stop', 'fast');
reload();

my ($status, $out) = main::enrol();
is($status, 1, 'away');
like($out, qr/systemUnavail/, 'systemUnavail') or diag($out);

cluster('start');
ok(main::back(), 'back');



=== a schema of another version
--- http_config eval: $main::quick
--- test
ok(main::back(), 'before');

sql(q{CREATE OR REPLACE FUNCTION cmp.schema_version() RETURNS int4
      LANGUAGE sql AS 'SELECT 4711'});
sql(q{SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE application_name = 'nginx-cmp'});

ok(wait_for(sub { (main::enrol())[1] =~ /systemUnavail/ }, 10),
   'systemUnavail');
ok(wait_for(sub { error_log() =~ /4711/ }, 10), 'the log names the version');
