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
