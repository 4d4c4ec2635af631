# Copyright (C) ngx_http_cmp_module contributors
#
# Signatures by RSA keys are made in threads, so that other requests of the
# worker go on.

use lib 't/lib';
use CMPTest;

credential(reference => 'device1', secret => 'insecure');

our $rsa = own_pki('rsa:3072');

sub http_config {
    return default_http_config(pki => $rsa, trusted => '', ca => "@_");
}

# newkey() counts, and children would all count the same

sub key_for {
    my $file = tmp("$_[0].key");

    execute('openssl', 'genpkey', '-algorithm', 'EC', '-pkeyopt',
            'ec_paramgen_curve:P-256', '-out', $file);

    return $file;
}

sub enrol {
    my ($name, @more) = @_;
    return client('ir', '-ref', 'device1', '-secret', 'pass:insecure',
        '-subject', "/CN=$name", '-newkey', key_for($name), '-certout',
        tmp("$name.pem"), '-trusted', "$rsa/root.pem", '-untrusted',
        "$rsa/ca.pem", @more);
}

# several at once; how many were successful

sub enrol_many {
    my ($name, $n) = @_;

    my @pids = map {
        my $pid = fork();
        POSIX::_exit((enrol("$name-$n-$_"))[0]) if $pid == 0;
        $pid;
    } 1 .. $n;

    my $good = 0;

    for my $pid (@pids) {
        waitpid $pid, 0;
        $good++ if $? == 0;
    }

    return $good;
}

our $threads = sub {
    return scalar(() = glob('/proc/' . nginx_pid() . '/task/*'));
};

# of each thread of the worker, itself first, the Nth field of proc(5), stat,
# behind the name

our $fields = sub {
    my $n = shift;

    return map { /.*\) (.*)/ ? (split ' ', $1)[$n - 3] : () }
           map { CMPTest::slurp($_) }
           sort glob('/proc/' . nginx_pid() . '/task/*/stat');
};

# nice values, each once; scheduling policies: 0 is SCHED_OTHER, 2 SCHED_RR

our $nice = sub {
    my %seen = map { $_ => 1 } $main::fields->(19);

    return join ' ', sort { $a <=> $b } keys %seen;
};

our $policies = sub { return join ' ', $main::fields->(41) };

run_tests();

__DATA__

=== an RSA CA: in the pool that is made for it
--- http_config eval: main::http_config()
--- test
is(main::enrol_many('auto', 4), 4, 'all enrolled');
cmp_ok($main::threads->(), '>', 1, 'there are threads');



=== in a pool of the configuration
--- main_config
thread_pool slow threads=2;
--- http_config eval: main::http_config('thread_pool slow;')
--- test
my $own = $main::nice->();

is(main::enrol_many('slow', 4), 4, 'all enrolled');

# both have signed, or one of them

like($main::nice->(), qr/^$own ${\ ($own + 5)}$/, 'they let the worker first');



=== real-time priority is for the event loop
--- main_config
thread_pool slow threads=1;
--- http_config eval: main::http_config('thread_pool slow;')
--- test
my ($status, $out) = execute('chrt', '--all-tasks', '--rr', '--pid', 1,
                             nginx_pid());

SKIP: {
    skip("chrt: $out", 3) if $status != 0;

    is($main::policies->(), '2 2', 'the worker and its thread');
    is(main::enrol_many('rr', 2), 2, 'enrolled');
    is($main::policies->(), '2 0', 'the thread has left it');
}



=== in the worker, where so configured
--- http_config eval: main::http_config('thread_pool off;')
--- test
is(main::enrol_many('off', 2), 2, 'all enrolled');



=== more requests than may wait are told to come again
--- main_config
thread_pool one threads=1;
--- http_config eval: main::http_config('thread_pool one queue=1;')
--- test
# all at once on connections of their own

my ($status, $out) = main::enrol('seed', '-reqout', tmp('seed.der'));
is($status, 0, 'enrolled') or diag($out);

my $good = main::enrol_many('queue', 6);
cmp_ok($good, '>=', 1, "$good of 6 were served");
is(sql(q{SELECT count(*) FROM cmp.certificate
         WHERE subject LIKE 'CN=queue-%' AND state = 1}), $good,
   'and no other certificate is valid');



=== signed requests, refusals and the CRL go the same way
--- http_config eval: main::http_config()
--- test
my ($status, $out) = main::enrol('signed');
is($status, 0, 'ir') or diag($out);

my $key = newkey('P-256');
($status, $out) = client('ir', '-ref', 'device1', '-secret', 'pass:insecure',
    '-subject', '/CN=signer', '-newkey', $key, '-certout', tmp('signer.pem'),
    '-trusted', "$main::rsa/root.pem", '-untrusted', "$main::rsa/ca.pem");
is($status, 0, 'ir') or diag($out);

($status, $out) = client('rr', '-cert', tmp('signer.pem'), '-key', $key,
    '-oldcert', tmp('signer.pem'), '-revreason', 4, '-trusted',
    "$main::rsa/root.pem", '-untrusted', "$main::rsa/ca.pem");
is($status, 0, 'rr') or diag($out);

is(http('GET', '/crl/devices.crl', '')->{status}, 200, 'CRL');

($status, $out) = main::enrol('wrong', '-secret', 'pass:wrong');
is($status, 1, 'a wrong secret');
like($out, qr/badMessageCheck/, 'badMessageCheck, signed') or diag($out);
