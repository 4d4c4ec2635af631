# Copyright (C) ngx_http_cmp_module contributors
#
# Guessing of secrets gets slower and slower, for one reference from one
# address; nobody is locked out.

use lib 't/lib';
use CMPTest;
use CMPRaw;
use CMPWait;

master_on();
workers(2);

credential(reference => $_, secret => 'insecure')
    for qw(device1 device2 device3 device4 device5 device6);

our $key = newkey();

sub fresh {
    my ($reference, $secret) = @_;

    return message('ir', '-ref', $reference, '-secret', "pass:$secret",
        '-subject', '/CN=throttle', '-newkey', newkey(), '-implicit_confirm');
}

# Seconds until there is an answer to a message with this secret, and the
# answer.  Headers may follow.

sub try {
    my ($reference, $secret, %more) = @_;
    my $uri = delete $more{URI} // '/pkix/';
    my $message = delete $more{MESSAGE} // fresh($reference, $secret);
    my $from = Time::HiRes::time();
    my $r = post($uri, $message, %more);

    return (Time::HiRes::time() - $from, $r);
}

# Wrong secrets, and the seconds between the moments when each was sent and
# when the one after it was answered, which is never less than what that one
# has to wait, however slow the machine is.  The messages are made before.

sub guesses {
    my ($reference, $n, @more) = @_;
    my $message = fresh($reference, 'wrong');
    my ($sent, @between);

    for (1 .. $n) {
        my $before = $sent;

        $sent = Time::HiRes::time();

        my ($seconds, $r) = try(undef, undef, MESSAGE => $message, @more);

        push @between, Time::HiRes::time() - $before if defined $before;

        is(status($r->{body})->[2], 1, "$reference: badMessageCheck")
            if body($r->{body}) != 23 || status($r->{body})->[2] != 1;
    }

    return @between;
}

# how long the last of n took, with the time since the one before was sent

sub guess {
    my @between = guesses(@_);

    return @between ? $between[-1] : 0;
}

# after five wrong ones it would have been a second, and machines are slow

sub quick {
    my ($name, $seconds, $r) = @_;

    cmp_ok($seconds, '<', 0.9, "$name: at once");
    is(body($r->{body}), 1, "$name: accepted")
        or diag(status($r->{body})->[1]);
}

run_tests();

__DATA__

=== each wrong secret costs more
--- test
# three are free: of several references the fastest, as machines are slow

my ($fastest) = sort { $a <=> $b } map { guess("free-$_", 3) } 1 .. 5;

cmp_ok($fastest, '<', 0.24, 'the third one, at once');

my @least = (0.24, 0.49, 0.99, 1.99);
my @between = (guesses('device1', 3 + @least))[2 .. 5];

for my $n (0 .. $#least) {
    cmp_ok($between[$n], '>', $least[$n], 'guess ' . ($n + 4));
    cmp_ok($between[$n], '<', 2 * $least[$n] + 3, 'but not endlessly');
}

# whoever knows the secret has to wait too, once

my ($seconds, $r) = try('device1', 'insecure');

cmp_ok($seconds, '>', 1, 'the right one waits');
is(body($r->{body}), 1, 'and is accepted');
quick('the next one', try('device1', 'insecure'));



=== others are not affected
--- http_config eval
main::default_http_config(http => <<"_EOC_")
set_real_ip_from 127.0.0.1;
real_ip_header X-Real-IP;

cmp_ca others {
    certificate      ${\main::pki('other-root.pem')};
    certificate_key  ${\main::pki('other-root.key')};
    profile          device;
}
_EOC_
--- config
location /pkix/   { cmp_pass devices; }
location /others/ { cmp_pass others; }
--- test
post('/others/', 'x');
ok(wait_for(sub {
    (cmpctl('credential', 'list', '--ca', 'others'))[0] == 0 }, 5), 'a CA');
credential(ca => 'others', reference => 'device2', secret => 'insecure');

guess('device2', 5);

quick('another reference', try('device3', 'insecure'));
quick('another CA', try('device2', 'insecure', URI => '/others/'));
quick('another address', try('device2', 'insecure',
                             'X-Real-IP' => '192.0.2.1'));
cmp_ok(guess('device2', 2), '>', 0.99, 'but it is');

# what was answered before is answered again

my $message = message('ir', '-ref', 'device3', '-secret', 'pass:insecure',
                      '-subject', '/CN=throttle', '-newkey', newkey());

quick('the first time', try(undef, undef, MESSAGE => $message));
guess('device3', 5);
quick('a repeat', try(undef, undef, MESSAGE => $message));



=== an IPv6 network counts as one address
--- http_config eval
main::default_http_config(http =>
    'set_real_ip_from 127.0.0.1; real_ip_header X-Real-IP;')
--- test
guess('device4', 1, 'X-Real-IP' => "2001:db8:1:1::$_") for 1 .. 5;

cmp_ok(guess('device4', 2, 'X-Real-IP' => '2001:db8:1:1:ffff::1'), '>', 1.99,
       'the same network');
quick('another network', try('device4', 'insecure',
                             'X-Real-IP' => '2001:db8:1:2::1'));



=== an unknown reference is treated like one that exists
--- test
my @between = guesses('nobody', 5);

cmp_ok($between[2], '>', 0.24, 'waits');
cmp_ok($between[3], '>', 0.49, 'waits longer');



=== guesses side by side take turns
--- test
guess('device5', 3);

my @messages = map { message('ir', '-ref', 'device5', '-secret', 'pass:wrong',
    '-subject', '/CN=throttle', '-newkey', $main::key) } 1 .. 4;
my $from = Time::HiRes::time();
my @socks = map { send_to(request('/pkix/', $_, Connection => 'close')) }
            @messages;
my @took = sort { $a <=> $b } map {
    answer($_);
    Time::HiRes::time() - $from } @socks;

# four in the time of the first would have been no obstacle

cmp_ok($took[3], '>', 0.7, 'one after the other');

# the worker serves others meanwhile

my $sock = send_to(request('/pkix/', message('ir', '-ref', 'device5',
    '-secret', 'pass:wrong', '-subject', '/CN=throttle', '-newkey',
    $main::key), Connection => 'close'));

quick('others meanwhile', try('device6', 'insecure'));
ok(!readable($sock, 0), 'who guesses waits');
is(body(answer($sock)->{body}), 23, 'and is answered');



=== all workers count together, also over a reload
--- test
# a worker for each connection, as it comes

guess('device6', 5);
ok(reload(), 'reload');
ok(wait_for(sub { workers_of(nginx_pid()) == 2 }, 10), 'new workers');
cmp_ok(guess('device6', 2), '>', 1.99, 'not forgotten');

my ($seconds, $r) = try('device6', 'insecure');

is(body($r->{body}), 1, 'the right one is accepted');
quick('and all is forgiven', try('device6', 'insecure'));
