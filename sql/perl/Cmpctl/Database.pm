package Cmpctl::Database;

# Copyright (C) ngx_http_cmp_module contributors
#
# The way to the database: values, SQL functions, tables.

use strict;
use warnings;

use Cmpctl::Common;
use Exporter qw(import);
use File::Temp ();
use POSIX ();

our @EXPORT = qw(value values_array bytes time_value integer limit psql show);

my %var;


# SQL for a value: a psql variable, so that the text of the value is never
# part of the SQL

sub value {
    my ($value, $type) = @_;

    return "NULL::$type" if !defined $value;

    fail('a value contains a zero octet') if $value =~ /\0/;

    my $variable = 'v' . keys %var;

    $var{$variable} = $value;

    return ":'$variable'::$type";
}


sub values_array {
    my ($values) = @_;

    return 'ARRAY[' . join(', ', map { value($_, 'text') } @{$values || []})
        . ']::text[]';
}


sub bytes {
    return 'decode(' . value($_[0], 'text') . ", 'hex')";
}


sub time_value {
    my ($option, $sign) = @_;
    my $value = $opt{$option};
    my %unit = (s => 'seconds', m => 'minutes', h => 'hours', d => 'days',
                w => 'weeks', y => 'years');

    if (defined $value && $value =~ /^(\d{1,6})([smhdwy])$/) {
        return "(now() $sign " . value("$1 $unit{$2}", 'interval') . ')';
    }

    return value($value, 'timestamptz');
}


sub integer {
    my ($option) = @_;
    my $value = $opt{$option};

    if (defined $value && $value !~ /^\d{1,9}$/) {
        usage_error("--$option: \"$value\" is not a number");
    }

    return value($value, 'int4');
}


sub limit {
    $opt{limit} //= 100;

    return integer('limit');
}



# Runs SQL text with the variables made so far.  Gives what psql prints; ends
# the program with the server's message when it fails, unless the message
# matches $retry: then undef.

sub psql {
    my ($sql, $args, $retry) = @_;

    my $script = File::Temp->new(TEMPLATE => 'cmpctl-XXXXXX', TMPDIR => 1);
    my $err = File::Temp->new(TEMPLATE => 'cmpctl-XXXXXX', TMPDIR => 1);

    print $script "\\set VERBOSITY default\n\\set SHOW_CONTEXT never\n$sql\n"
        or fail("cannot write a temporary file: $!");
    close $script or fail("cannot write a temporary file: $!");

    my @command = ('psql', '-X', '-q', '-w', '-v', 'ON_ERROR_STOP=1', '-P',
                   'pager=off', '-P', 'footer=off', @{$args || []});

    push @command, '-v', "$_=$var{$_}" for sort keys %var;
    push @command, '-f', $script->filename;
    push @command, '-d', $opt{dsn} if defined $opt{dsn};

    local $ENV{PGCLIENTENCODING} = 'UTF8';
    local $ENV{PGAPPNAME} = 'cmpctl';

    %var = ();

    my $pid = open(my $out, '-|') // fail("fork() failed: $!");

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDERR, '>&', $err;
        { no warnings 'exec'; exec { $command[0] } @command; }
        print STDERR "FATAL:  psql cannot be run (Debian: postgresql-client)\n";
        POSIX::_exit(2);
    }

    binmode $out;
    my $printed = do { local $/; <$out> } // '';
    close $out;

    my $status = $? & 127 ? 255 : $? >> 8;

    open my $fh, '<', $err->filename or fail("$err: $!");
    my $text = do { local $/; <$fh> } // '';

    return $printed if $status == 0 && messages($text) == 0;
    return undef if defined $retry && $text =~ $retry;

    messages($text, 1) or fail("psql failed with exit code $status");
    exit($status == 2 ? 3 : 1);
}


# The server's messages as ours: notices at once, errors only when $errors is
# set.  Gives the number of errors.

sub messages {
    my ($text, $errors) = @_;
    my $count = 0;

    for my $line (split /\n/, $text) {
        $line =~ s/^psql:(?: error:|\S+:) //;
        $line =~ s/^(?=connection to server|could not |invalid )/FATAL:  /;

        if ($line =~ /^(?:ERROR|FATAL):\s+(.*)/) {
            $count++;
            print STDERR "cmpctl: $1\n" if $errors;

        } elsif ($line =~ /^(?:NOTICE|WARNING):\s+(.*)/) {
            print STDERR "cmpctl: $1\n" if !$errors;

        } elsif ($errors && $line =~ /\S/) {
            print STDERR "cmpctl: $line\n";
        }
    }

    return $count;
}


# prints what a SELECT gives, the columns named, as a table, as one block a row
# or as JSON

sub show {
    my ($columns, $from, $expanded) = @_;

    if ($opt{json}) {
        my $rows = $expanded ? 'to_json(r)' : q(coalesce(json_agg(r), '[]'));

        print psql("SELECT $rows FROM (SELECT * FROM $from) r;", ['-At']);
        return 0;
    }

    print psql("SELECT $columns FROM $from;", $expanded ? ['-x'] : []);
    return 0;
}


1;
