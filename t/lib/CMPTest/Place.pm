package CMPTest::Place;

# Copyright (C) ngx_http_cmp_module contributors
#
# What a test file has for itself: ports, folders, a database.  The variables
# are those of CMPTest.

use strict;
use warnings;

use Exporter qw(import);
use Fcntl qw(:flock);
use File::Path ();
use IO::Socket::INET;
use Test::More ();

our @EXPORT = qw(need setup port tls_port pki own_pki conninfo admin_conninfo
                 seal_key tmp execute slurp);

my @locks;


sub need {
    my $name = shift;

    return $ENV{$name} // Test::More::BAIL_OUT(
        "$name is not set: run the tests with t/run");
}


# Ports below the range that outgoing connections take theirs from.  A lock
# keeps the files that run at the same time apart.

sub free_port {
    my $locks = need('TEST_CMP_DIR') . '/ports';

    File::Path::make_path($locks);

    for (1 .. 1000) {
        my $port = 10000 + int(rand(20000));

        open my $lock, '>', "$locks/$port" or next;
        flock($lock, LOCK_EX | LOCK_NB) or next;

        my $sock = IO::Socket::INET->new(
            LocalAddr => '127.0.0.1', LocalPort => $port, Proto => 'tcp',
            Listen => 1, ReuseAddr => 1
        ) or next;

        close $sock;
        push @locks, $lock;

        return $port;
    }

    die "no free port";
}


sub setup {
    my $dir = need('TEST_CMP_DIR');
    my ($name) = $0 =~ m{([^/]+?)(?:\.t)?$};

    $name =~ s/[^A-Za-z0-9]/_/g;

    srand($$ ^ time());

    $_ = free_port() for $CMPTest::Port, $CMPTest::TlsPort, $CMPTest::Port2,
                         $CMPTest::Port3;

    $CMPTest::Tmp = "$dir/tmp-$name";
    File::Path::remove_tree($CMPTest::Tmp);
    File::Path::make_path($CMPTest::Tmp);

    $ENV{TEST_NGINX_SERVROOT} = "$dir/servroot-$name";
    $ENV{TEST_NGINX_SERVER_PORT} = "127.0.0.1:$CMPTest::Port";
    $ENV{TEST_NGINX_CLIENT_PORT} = $CMPTest::Port;
    $ENV{TEST_NGINX_STREAM_PORT} = $CMPTest::Port2;
    $ENV{TEST_NGINX_TIMEOUT} ||= 10;
    $ENV{TEST_NGINX_NO_SHUFFLE} //= 1;
    $ENV{no_proxy} = $ENV{NO_PROXY} = '127.0.0.1,localhost';

    $CMPTest::Admin = need('TEST_CMP_CONNINFO');
    $CMPTest::Database = lc "t_$name";
    new_database();
}


sub new_database {
    my ($status, $out) = execute('psql', '-XAtq', '-v', 'ON_ERROR_STOP=1',
        '-d', with_database('postgres'),
        '-c', "DROP DATABASE IF EXISTS $CMPTest::Database",
        '-c', "CREATE DATABASE $CMPTest::Database TEMPLATE cmp");

    Test::More::BAIL_OUT("cannot make a database: $out") if $status != 0;
}


sub with_database {
    my ($name, $user) = @_;
    my $conninfo = $CMPTest::Admin;

    $conninfo =~ s/\bdbname=\S+/dbname=$name/;
    $conninfo =~ s/\buser=\S+/user=$user/ if defined $user;

    return $conninfo;
}


sub slurp {
    my $file = shift;

    open my $fh, '<', $file or return '';
    local $/;

    return <$fh> // '';
}


sub port           { return $CMPTest::Port }
sub tls_port       { return $CMPTest::TlsPort }
sub conninfo       { return with_database($CMPTest::Database, 'cmp_server') }
sub admin_conninfo { return with_database($CMPTest::Database) }
sub seal_key       { return pki('seal.key') }

sub pki {
    return join '/', need('TEST_CMP_PKI'), @_;
}

sub tmp {
    return join '/', $CMPTest::Tmp, @_;
}


sub own_pki {
    my $kind = shift;
    my $dir = tmp($kind =~ tr/:/-/r);

    if (!-e "$dir/ca.pem") {
        my ($status, $out) = execute('t/lib/mkpki', $dir, $kind);

        Test::More::BAIL_OUT("cannot make a PKI of $kind: $out")
            if $status != 0;
    }

    return $dir;
}


sub execute {
    my @command = @_;
    my $pid = open(my $fh, '-|') // die "fork() failed: $!";

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDERR, '>&', \*STDOUT;
        no warnings;
        exec { $command[0] } @command;
        print "exec($command[0]) failed: $!\n";
        require POSIX;
        POSIX::_exit(127);
    }

    local $/;
    my $out = <$fh> // '';
    close $fh;

    return ($? & 127 ? 128 + ($? & 127) : $? >> 8, $out);
}


1;
