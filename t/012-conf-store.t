# Copyright (C) ngx_http_cmp_module contributors
#
# cmp_store: what is refused while the configuration is read, and where the
# message says that it is; a password is in no log.

use lib 't/lib';
use CMPTest;
use CMPConf;

our $c = '"' . conninfo() . '"';

run_tests();

__DATA__

=== the directive
--- test
my $d = $main::c;

refused('store', <<"_EOC_");
!                            => invalid number of arguments in "cmp_store"
! $d; cmp_store $d           => "cmp_store" directive is duplicate
! $d { }                     => directive "cmp_store" is not terminated by ";"
_EOC_

for my $place (qw(main server location)) {
    refused($place, "cmp_store $d; => \"cmp_store\" directive is not allowed");
}

# a CA needs one

my ($status, $out) = CMPConf::nginx_t('http', '');
is($status, 0, 'as it is') or diag($out);

my ($text, $lines) = CMPConf::configuration('ca', 'confirm_timeout 1h;');
$text =~ s/^cmp_store .*$//m;

($status, $out) = execute($ENV{TEST_NGINX_BINARY}, '-t', '-e',
    tmp('conf.log'), '-p', tmp(), '-c', make_file('conf.conf', $text));
is($status, 1, 'no cmp_store');
like($out, qr/no "cmp_store" is defined for cmp_ca "devices" in .*:\d+$/m,
     'no cmp_store, with file and line');



=== connection strings
--- test
refused('store', <<'_EOC_');
! ""                         => no "host" in the connection string
! "host=/tmp dbname=a"       => no "user" in the connection string
! "host=/tmp user=a"         => no "dbname" in the connection string
! "host=/tmp user=a dbname=''"   => no "dbname" in the connection string
! "dbname=a user=a"          => no "host" in the connection string
! "host='' dbname=a user=a"  => no "host" in the connection string
! "host=/tmp,,/tmp dbname=a user=a"    => empty "host" in the connection
! "host"                     => invalid connection string: missing "="
! "host=/tmp foo=a"          => invalid connection string: invalid connection
! "host=/tmp port=0 dbname=a user=a"      => invalid port "0"
! "host=/tmp port=65536 dbname=a user=a"  => invalid port "65536"
! "host=/tmp port=pg dbname=a user=a"     => invalid port "pg"
! "host=/tmp port=-1 dbname=a user=a"     => invalid port "-1"
! "host=/a,/b port=1,2,3 dbname=a user=a" => differ in number
! "host=/a,/b,/c port=1,2 dbname=a user=a"   => differ in number
! "host=a hostaddr=127.0.0.1,127.0.0.2 dbname=a user=a" => differ in number
! "host=/tmp dbname=a user=a connect_timeout=3"  => "connect_timeout" is not
! "host=/tmp dbname=a user=a replication=on"     => "replication" is not suppo
! "host=/tmp dbname=a user=a client_encoding=x"  => "client_encoding" is not
! "host=no-such-host.invalid dbname=a user=a"    => host not found
_EOC_

my $hosts = join ',', map { "/tmp/$_" } 1 .. 33;

refused('store', "! \"host=$hosts dbname=a user=a\" => or are more than 32");

$hosts = join ',', map { "/tmp/$_" } 1 .. 32;
accepted('store', <<"_EOC_");
! "host=/tmp dbname=a user=a"
! "host=/a,/b port=1,2 dbname=a user=a"
! "host=/a,/b port=5433 dbname=a user=a"
! "host=$hosts dbname=a user=a"
! "host=127.0.0.1 dbname=a user=a sslmode=disable"
! "host=::1,localhost dbname=a user=a target_session_attrs=any"
! "hostaddr=127.0.0.1 dbname=a user=a"
! "host=db.example hostaddr=127.0.0.1 dbname=a user=a"
! "postgresql://a\@localhost:5433/a"
! "host=/tmp dbname=a user=a options='-c work_mem=8MB' application_name=x"
_EOC_

# what the environment says is not asked

{
    local $ENV{PGHOST} = '/tmp';
    local $ENV{PGUSER} = 'a';
    local $ENV{PGDATABASE} = 'a';

    refused('store', <<'_EOC_');
! "dbname=a user=a"          => no "host" in the connection string
! "host=/tmp dbname=a"       => no "user" in the connection string
! "host=/tmp user=a"         => no "dbname" in the connection string
_EOC_
}



=== parameters
--- test
refused('store', <<'_EOC_');
connections                  => invalid parameter "connections"
connections=                 => invalid parameter "connections="
connections=0                => invalid parameter "connections=0"
connections=-1               => invalid parameter "connections=-1"
connections=1025             => invalid parameter "connections=1025"
connections=8x               => invalid parameter "connections=8x"
queue=                       => invalid parameter "queue="
queue=0                      => invalid parameter "queue=0"
queue=1000001                => invalid parameter "queue=1000001"
timeout=                     => invalid parameter "timeout="
timeout=0                    => invalid parameter "timeout=0"
timeout=9ms                  => invalid parameter "timeout=9ms"
timeout=61m                  => invalid parameter "timeout=61m"
timeout=-1s                  => invalid parameter "timeout=-1s"
timeout=soon                 => invalid parameter "timeout=soon"
connect_timeout=0            => invalid parameter "connect_timeout=0"
connect_timeout=2h           => invalid parameter "connect_timeout=2h"
queue_timeout=0              => invalid parameter "queue_timeout=0"
queue_timeout=x              => invalid parameter "queue_timeout=x"
startup_options=             => invalid parameter "startup_options="
startup_options=yes          => invalid parameter "startup_options=yes"
startup_options=onn          => invalid parameter "startup_options=onn"
key                          => invalid parameter "key"
key=                         => invalid parameter "key="
foo=bar                      => invalid parameter "foo=bar"
=bar                         => invalid parameter "=bar"
""                           => invalid parameter ""
CONNECTIONS=8                => invalid parameter "CONNECTIONS=8"
_EOC_

my $d = $main::c;

for my $pair (qw(connections=1 connections=1024 queue=1 queue=1000000
                 timeout=10ms timeout=1h connect_timeout=10ms
                 queue_timeout=1h startup_options=on startup_options=off))
{
    accepted('store', "! $d $pair");
}

accepted('store', "! $d connections=4 timeout=1s connect_timeout=1s queue=10 "
                  . 'queue_timeout=500ms key=%%SEAL_KEY%% startup_options=on');

# nothing is said twice

for my $pair (qw(connections=1 queue=1 timeout=1s connect_timeout=1s
                 queue_timeout=1s startup_options=on key=%%SEAL_KEY%%))
{
    my ($name) = split /=/, $pair;

    refused('store', "! $d $pair $pair => duplicate parameter \"$name\"");
}



=== the key that seals secrets
--- test
my $d = $main::c;

my $hex = '0123456789abcdef' x 4;
my %good = (
    bytes => join('', map { chr } 200 .. 231),
    hex => $hex, upper => uc $hex, lf => "$hex\n", crlf => "$hex\r\n",
    zeros => "\0" x 32,
);
my %bad = (
    empty => '', short => 'a' x 31, long => 'a' x 33, hex63 => substr($hex, 1),
    hex65 => "${hex}0", nohex => 'g' . substr($hex, 1), lf2 => "$hex\n\n",
    space => " $hex", large => 'a' x 100000,
);

for my $name (sort keys %good) {
    my $file = make_file("seal-$name", $good{$name}, 0600);

    accepted('store', "! $d key=$file");
}

for my $name (sort keys %bad) {
    my $file = make_file("seal-$name", $bad{$name}, 0600);

    refused('store', "! $d key=$file => key file \"$file\" must contain 32 "
                     . 'bytes or 64 hexadecimal digits');
}

refused('store', <<"_EOC_");
! $d key=/nonexistent     => open() "/nonexistent" failed (2: No such file
! $d key=relative         => relative" failed (2: No such file
! $d key=%%TMP%%          => "%%TMP%%" is not a regular file
_EOC_

for my $mode (0644, 0604, 0602, 0601, 0666, 0620) {
    my $file = make_file('seal-mode', $hex, $mode);

    refused('store', "! $d key=$file => key file \"$file\" is accessible by "
                     . 'others, its mode must be 0640 or stricter');
}

for my $mode (0600, 0400, 0640, 0440) {
    my $file = make_file('seal-mode', $hex, $mode);

    accepted('store', "! $d key=$file");
}

execute('mkfifo', tmp('fifo'));
chmod 0600, tmp('fifo');

refused('store', "! $d key=%%TMP%%/fifo => \"%%TMP%%/fifo\" is not a regular");



=== a password is in no log
--- test
my @strings = (
    'host=/tmp dbname=a user=a password=hunter22 foo=bar',
    'host=/tmp dbname=a user=a password=hunter22 port=x',
    'host=/tmp dbname=a user=a password=hunter22 connect_timeout=1',
    'host=/tmp dbname=a user=a password=hunter22',
    'host=/tmp dbname=a user=a password hunter22',
    'host=/tmp dbname=a user=a password=a hunter22',
    "host=/tmp dbname=a user=a password='hunter22",
    'host=no-such-host.invalid dbname=a user=a password=hunter22',
    'postgresql://a:hunter22@',
    'postgresql://a:hunter22@[::1/b',
    'postgres://a:hunter22@localhost:x/b',
    'postgresql://a:%%hunter22@/b',
    'host=/tmp dbname=a user=a sslpassword=hunter22 foo',
    'host=/tmp dbname=a user=a PASSWORD=hunter22',
);

for my $string (@strings) {
    my ($status, $out) = CMPConf::nginx_t('store', "! \"$string\" timeout=1s");

    unlike($out, qr/hunter22/, "not on standard error: $string");
    unlike(CMPTest::slurp(tmp('conf.log')), qr/hunter22/,
           "nor in the log: $string");
}



=== nor while nginx works
--- http_config eval
my $text = main::default_http_config();
my $conninfo = main::conninfo();

$text =~ s/\Q$conninfo\E/$conninfo password=hunter22/ or die;
$text
--- config
location /pkix/ { cmp_pass devices; }
--- log_level: debug
--- test
my ($status, $out) = client('ir', '-ref', 'x', '-secret', 'pass:y', '-subject',
    '/CN=x', '-newkey', newkey(), '-certout', tmp('x.pem'));
isnt($status, 0, 'no such reference');
like(error_log(), qr/unknown or disabled reference/, 'the database was asked');
unlike(error_log(), qr/hunter22/, 'no password in the log');
