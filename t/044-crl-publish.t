# Copyright (C) ngx_http_cmp_module contributors
#
# When a CRL is made: by the schedule, by a revocation, by the operator; by
# one of several nodes; and what is served when none can be made.

use lib 't/lib';
use CMPTest;
use CMPCrl;
use CMPRaw;
use JSON::PP;

own_cluster();
credential(reference => 'device1', secret => 'insecure');

our $locations = '
location /pkix/       { cmp_pass devices; }
location = /full.crl  { cmp_crl devices; }
location = /delta.crl { cmp_crl devices delta; }
';

sub latest {
    my ($where) = @_;

    return sql('SELECT coalesce(max(number), 0) FROM cmp.crl WHERE '
               . ($where // 'NOT delta'));
}

sub shown {
    my ($status, $out) = cmpctl('crl', 'show', '--ca', 'devices', '--json');

    return JSON::PP::decode_json($out);
}

run_tests();

__DATA__

=== nobody asks: there is one, and another one before it ends
--- http_config eval
main::default_http_config(ca => 'crl lifetime=1h refresh=20m delta=5m;')
--- config eval: $main::locations
--- test
ok(wait_for(sub { main::latest('delta') }, 20), 'delta CRL');
is(sql('SELECT count(*) FROM cmp.crl'), 2, 'and a complete one');

my $first = main::latest();

# past its end

sql("UPDATE cmp.crl SET this_update = this_update - interval '2 hours',
     next_update = next_update - interval '2 hours'");
ok(wait_for(sub { main::latest() > $first }, 20), 'nextUpdate has passed');
ok(wait_for(sub { sql('SELECT count(*) FROM cmp.crl
                       WHERE delta AND next_update > now()') }, 20),
   'and another delta CRL');

my ($number, $text, $r) = crl('/full.crl');

is($number, main::latest(), 'the new one is served');
cmp_ok(($r->{headers}{'cache-control'} =~ /(\d+)/)[0], '>', 3500,
       'and valid');

# a change alone is no reason with delta CRLs

my ($cert, $key, $serial) = enrol('schedule');
is((cmpctl('certificate', 'revoke', $serial))[0], 0, 'revoke');
like((crl('/delta.crl'))[1], qr/$serial/, 'in the delta CRL');
is((crl('/full.crl'))[0], $number, 'not in the complete one');



=== by the operator
--- http_config eval
main::default_http_config(ca => 'crl lifetime=1h refresh=20m delta=5m;')
--- config eval: $main::locations
--- test
my ($number) = crl('/full.crl');
my ($status, $out) = cmpctl('crl', 'publish', '--ca', 'devices', '--wait');

is($status, 0, 'publish') or diag($out);
cmp_ok(main::latest(), '>', $number, 'there is another one');
cmp_ok(main::latest('delta'), '>', $number, 'of each kind');
is(sql('SELECT cmp.crl_awaited()'), 0, 'nothing is missing');

my $list = main::shown();

is(join(' ', map { $_->{kind} } @$list), 'complete delta', 'crl show');
is($list->[0]{number}, main::latest(), 'number');
is($list->[1]{base}, sql('SELECT base FROM cmp.crl WHERE delta
                          ORDER BY number DESC LIMIT 1'), 'base');
is($list->[0]{entries}, 1, 'entries');
is($list->[0]{partition}, 0, 'partition');
ok($list->[0]{octets}, 'octets');

is((cmpctl('crl', 'publish', '--ca', 'nosuch'))[0], 1, 'an unknown CA');

like(sql("SELECT string_agg(requester, ' ') FROM cmp.audit
          WHERE action = 'crl publish'"), qr/^operator:/, 'is in the audit');



=== by a revocation, on two nodes, never twice
--- http_config eval
main::default_http_config(ca => 'crl publish_on_revoke;')
--- config eval: $main::locations =~ s/location = .delta.*//r
--- test
my $port2 = $CMPTest::Port2;

ok(node($port2), 'another node');

for my $n (1 .. 4) {
    my $before = main::latest();
    my ($cert, $key, $serial) = enrol("node$n");

    # both are asked at the same moment, and both look for themselves

    is((cmpctl('certificate', 'revoke', $serial))[0], 0, 'revoke');

    my @socks = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                            PeerPort => $_) }
                (port(), $port2) x 4;

    for my $sock (@socks) {
        $sock->autoflush(1);
        print $sock "GET /full.crl HTTP/1.1\r\nHost: a\r\n"
                    . "Connection: close\r\n\r\n";
    }

    my %bodies = map { my ($r) = responses(do { local $/; <$_> });
                       ($r->{body} => 1) } @socks;

    is(scalar keys %bodies, 1, 'all get the same');
    like((keys %bodies)[0], qr/\Q${\pack('H*', $serial)}\E/, 'the new one');
}

# nobody asks

my $before = main::latest();
my ($cert, $key, $serial) = enrol('unasked');

is((cmpctl('certificate', 'revoke', $serial))[0], 0, 'revoke');
ok(wait_for(sub { main::latest() > $before }, 20), 'another one');
is(sql("SELECT position('\\x$serial'::bytea IN der) > 0 FROM cmp.crl
        ORDER BY number DESC LIMIT 1"), 't', 'with the revocation');

is((crl('/full.crl', 'a', port()))[0], (crl('/full.crl', 'b', $port2))[0],
   'the same on both nodes');

my @here = made(error_log());
my @there = made(node_stop());
my %times;

$times{$_}++ for @here, @there;

is(join(' ', grep { $times{$_} > 1 } keys %times), '', 'no number twice');
cmp_ok(@here + @there, '<=', 7, 'nor more than there were reasons')
    or diag("@here / @there");



=== large ones, in pieces
--- http_config eval
main::default_http_config(ca => 'crl lifetime=1h refresh=20m delta=5m;')
--- config eval: $main::locations
--- test
my $port2 = $CMPTest::Port2;

ok(node($port2), 'another node');
sql('TRUNCATE cmp.crl');

# a base for the delta CRL

crl('/full.crl');

sql("INSERT INTO cmp.revocation (ca_id, state, reason, by, change, revoked_at,
        not_after, serial)
     SELECT id, 3, 1, 0, pg_current_xact_id(), now(),
        now() + interval '1 day', substr(sha256(int4send(n)), 1, 20)
     FROM cmp.ca, generate_series(1, 45000) n");

my $rows = sql('SELECT count(*) FROM cmp.revocation WHERE state <> 1');

# each is made on one node and fetched from the other one

for my $uri ('/delta.crl', '/full.crl') {
    cmpctl('crl', 'publish') if $uri eq '/full.crl';

    my ($number, $text, $r) = crl($uri, 'large.pem');
    my $n = () = $text =~ /Serial Number: /g;

    is($r->{status}, 200, $uri);
    cmp_ok($n, '>=', 45000, 'all of them');
    cmp_ok(length $r->{body}, '>', 2 * 1048576, 'more than two pieces');

    my ($status, $out) = execute('openssl', 'crl', '-in', tmp('large.pem'),
        '-noout', '-verify', '-CAfile', pki('ca.pem'));
    like($out, qr/verify OK/, 'the signature verifies');

    ok((crl($uri, 'other.pem', $port2))[2]{body} eq $r->{body},
       'the same on the other node');
    is(sql('SELECT count(*) FROM cmp.crl_piece p
            JOIN cmp.crl c USING (ca_id, partition, number)'), 0,
       'no piece of it is left');
}

# a worker goes away while one is made

for my $n (1 .. 3) {
    cmpctl('crl', 'publish');

    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
                                     PeerPort => $port2);
    print $sock "GET /full.crl HTTP/1.1\r\nHost: a\r\n\r\n";
    Time::HiRes::sleep(0.1 * $n);

    if ($n == 3) {
        node_stop();

    } else {
        close $sock;
    }
}

my ($number, undef, $r) = crl('/full.crl');

is($r->{status}, 200, 'another one makes it');
is($number, main::latest(), 'the latest');

sql("DELETE FROM cmp.revocation WHERE octet_length(serial) = 20
     AND serial IN (SELECT substr(sha256(int4send(n)), 1, 20)
                    FROM generate_series(1, 45000) n)");



=== the database is away
--- http_config eval
main::default_http_config(ca => 'crl lifetime=1h refresh=20m delta=5m;')
--- config eval: $main::locations
--- test
my ($number, undef, $r) = crl('/full.crl');
my ($delta) = crl('/delta.crl');

CMPTest::cluster('stop', 'fast');

for my $n (1 .. 2) {
    my ($now, undef, $again) = crl('/full.crl');

    is($again->{status}, 200, "time $n: complete");
    is($again->{body}, $r->{body}, "time $n: the same");
    is($again->{headers}{etag}, $r->{headers}{etag}, "time $n: ETag");
    is((crl('/delta.crl'))[0], $delta, "time $n: delta");
}

is(http('GET', '/full.crl', undef, 'If-None-Match' => $r->{headers}{etag})
   ->{status}, 304, 'not modified');

CMPTest::cluster('start');
ok(wait_for(sub { error_log() =~ /the database is back/ }, 15),
   'the database is back');

sql("UPDATE cmp.crl SET next_update = now() + interval '3 s' WHERE delta");
sql("UPDATE cmp.crl SET number = number + 1000 WHERE delta");
ok(wait_for(sub { (crl('/delta.crl'))[2]{headers}{'cache-control'}
                  =~ /max-age=[0-3]$/ }, 5), 'one that ends soon');

CMPTest::cluster('stop', 'fast');
ok(wait_for(sub { http('GET', '/delta.crl')->{status} == 503 }, 15),
   'has ended: 503');
is(http('GET', '/full.crl')->{status}, 200, 'the complete one is there');
ok(http('GET', '/delta.crl')->{headers}{'retry-after'}, 'Retry-After');

CMPTest::cluster('start');



=== files: a CRL that is there before the database goes away
--- http_config eval
main::default_http_config(ca => 'crl lifetime=1h refresh=20m delta=5m;',
                          http => 'cmp_crl_cache %%TMP%%/cache;')
--- config eval: $main::locations
--- test
our ($number, $delta, $body);

($number, undef, my $r) = crl('/full.crl');
($delta) = crl('/delta.crl');
$body = $r->{body};

my @files;

# they are written after the answer, in a thread

ok(wait_for(sub {
                @files = grep { /[.]0(?:[.]delta)?$/ } glob tmp('cache/*');
                return @files == 2;
            }, 10), 'a file for each');
is(-s $files[0], 40 + length $body, 'as long as the CRL');
is((stat _)[2] & 077, 0, 'nobody else reads it');

CMPTest::cluster('stop', 'fast');



=== files: nginx begins without the database
--- http_config eval
main::default_http_config(ca => 'crl lifetime=1h refresh=20m delta=5m;',
                          http => 'cmp_crl_cache %%TMP%%/cache;')
--- config eval: $main::locations
--- test
my ($number, undef, $r) = crl('/full.crl');

is($r->{status}, 200, 'complete');
ok($r->{body} eq $main::body, 'the same');
is($number, $main::number, 'its number');
is((crl('/delta.crl'))[0], $main::delta, 'delta');
ok($r->{headers}{etag}, 'ETag');
cmp_ok(($r->{headers}{'cache-control'} =~ /(\d+)/)[0], '<=', 3600, 'max-age');

CMPTest::cluster('start');
ok(wait_for(sub { error_log() =~ /the database is back/ }, 15),
   'the database is back');
is((cmpctl('crl', 'publish'))[0], 0, 'publish');
ok(wait_for(sub { (crl('/full.crl'))[0] > $number }, 15), 'a new one');

my ($file) = glob tmp('cache/*.0');

ok(substr(CMPTest::slurp($file), 40) eq http('GET', '/full.crl')->{body},
   'is in the file');
ok(wait_for(sub { (() = glob tmp('cache/*')) == 2 }, 10), 'no other files');

# files that are none, or have ended

CMPTest::cluster('stop', 'fast');

for my $damage (sub { substr $_[0], -1, 1, '' }, sub { $_[0] =~ s/^C/c/ },
                sub { substr $_[0], 24, 8, pack 'q>', 1e12 },
                sub { substr $_[0], 32, 8, pack 'q>', -1 }, sub { $_[0] = '' })
{
    push @main::damaged, CMPTest::slurp($file);
    $damage->($main::damaged[-1]);
}



=== files: damaged
--- http_config eval
main::default_http_config(ca => 'crl lifetime=1h refresh=20m delta=5m;',
                          http => 'cmp_crl_cache %%TMP%%/cache;')
--- config eval: $main::locations
--- test
my ($file) = glob tmp('cache/*.0');

for my $bytes (@main::damaged) {
    open my $fh, '>', $file or die;
    binmode $fh;
    print $fh $bytes;
    close $fh;

    is(http('GET', '/full.crl')->{status}, 503, 'no CRL');
}

CMPTest::cluster('start');
ok(wait_for(sub { http('GET', '/full.crl')->{status} == 200 }, 15),
   'and back');
ok(substr(CMPTest::slurp($file), 40) eq http('GET', '/full.crl')->{body},
   'written again');



=== files: a folder that cannot be written into
--- http_config eval
main::default_http_config(http => 'cmp_crl_cache %%TMP%%/cache;')
--- config eval: $main::locations =~ s/location = .delta.*//r
--- test
my ($file) = glob tmp('cache/*.0');

unlink $file;
mkdir $file;
cmpctl('crl', 'publish');

is(http('GET', '/full.crl')->{status}, 200, 'is served all the same');
like(error_log(), qr/\[crit\].*a CRL could not be written/, 'is in the log');
