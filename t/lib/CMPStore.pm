package CMPStore;

# Copyright (C) ngx_http_cmp_module contributors
#
# For tests of the store without nginx: a database of their own in the cluster
# that TEST_CMP_CONNINFO names, or in a cluster of their own without it.
#
#     database()             makes it, runs `cmpctl init`
#     admin() server()       conninfo of the superuser, of cmp_server
#     role(NAME)             of any role
#     sql(QUERY, CONNINFO)   (exit code, output with errors) of psql
#     value(QUERY)           what `psql -At` prints as the superuser
#     cmpctl(ARG...)         (exit code, output, errors)
#     program(PATH, ARG...)  any program: the same
#     input(TEXT)            standard input of the next cmpctl()
#     make_programs()        builds the programs; gives their folder

use strict;
use warnings;

use Cwd qw(abs_path);
use Exporter qw(import);
use File::Basename qw(dirname);
use File::Temp ();
use Test::More ();

our @EXPORT = qw(database admin server role sql value cmpctl program input tmp
                 make_programs);

my $root = abs_path(dirname(__FILE__) . '/../..');
my $dir = File::Temp->newdir('cmp-store-XXXXXX', TMPDIR => 1);
my $pid = $$;
my $name = "cmp_store_$$";
my ($cluster, $base, $made, $input);


sub tmp {
    return join '/', $dir, @_;
}


sub build {
    return $ENV{TEST_CMP_BUILD} || 'sanitize';
}


sub make_programs {
    my $build = build();

    system('make', '-s', '-C', $root, "BUILD=$build", 'store-build') == 0
        or Test::More::BAIL_OUT('make store-build failed');

    $ENV{CMPCTL_SEAL} ||= "$root/build-$build/cmpctl-seal";

    return "$root/build-$build/t";
}


sub role {
    my ($role) = @_;
    my $conninfo = $base;

    $conninfo =~ s/\bdbname=\S+/dbname=$name/;
    $conninfo =~ s/\buser=\S+/user=$role/;

    return $conninfo;
}


sub admin  { return role(($base =~ /\buser=(\S+)/)[0]) }
sub server { return role('cmp_server') }


sub database {
    $base = $ENV{TEST_CMP_CONNINFO};

    if (!defined $base) {
        $cluster = tmp('pg');
        chmod 0755, "$dir";
        $base = `PGCLUSTER_FSYNC=off $root/t/lib/pgcluster start $cluster`;
        Test::More::BAIL_OUT('no database') if $? != 0;
        chomp $base;
    }

    my ($status, $out) = sql("CREATE DATABASE $name", $base);
    Test::More::BAIL_OUT("CREATE DATABASE: $out") if $status != 0;
    $made = 1;

    ($status, $out, my $err) = cmpctl('init');
    Test::More::BAIL_OUT("cmpctl init: $err") if $status != 0;
}


sub run {
    my ($stdin, @command) = @_;

    my $child = fork // die "fork() failed: $!";

    if ($child == 0) {
        open STDIN, '<', $stdin or die "$stdin: $!";
        open STDOUT, '>', tmp('out') or die;
        open STDERR, '>', tmp('err') or die;
        exec { $command[0] } @command or die "$command[0]: $!";
    }

    waitpid $child, 0;

    return ($? >> 8, slurp(tmp('out')), slurp(tmp('err')));
}


sub program {
    return run('/dev/null', @_);
}


sub slurp {
    open my $fh, '<', $_[0] or return '';
    local $/;

    return <$fh> // '';
}


sub sql {
    my ($query, $conninfo) = @_;
    my ($status, $out, $err) = run('/dev/null', 'psql', '-XAtq', '-v',
        'ON_ERROR_STOP=1', '-d', $conninfo // admin(), '-c', $query);

    chomp $out;

    return ($status, $out . $err);
}


sub value {
    return (sql(@_))[1];
}


sub input {
    ($input) = @_;
}


sub cmpctl {
    my $stdin = '/dev/null';

    if (defined $input) {
        $stdin = tmp('in');
        open my $fh, '>', $stdin or die;
        print $fh $input;
        close $fh;
        undef $input;
    }

    return run($stdin, "$root/sql/cmpctl",
               (defined $base ? ('--dsn', admin()) : ()), @_);
}


END {
    my $status = $?;

    if ($$ == $pid) {
        sql("DROP DATABASE $name WITH (FORCE)", $base) if $made;
        system("$root/t/lib/pgcluster", 'stop', $cluster) if $cluster;
    }

    $? = $status;
}


1;
