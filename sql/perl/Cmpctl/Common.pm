package Cmpctl::Common;

# Copyright (C) ngx_http_cmp_module contributors
#
# What every command of cmpctl needs: the options that were given, and
# the ways to end because of an error.

use strict;
use warnings;

use Cwd qw(realpath);
use Exporter qw(import);
use File::Basename qw(dirname);

our @EXPORT = qw(%opt program_dir usage_error fail arguments required);

our %opt;


# the folder that the command is in, links followed

sub program_dir {
    return dirname(realpath($0));
}


sub usage_error {
    print STDERR "cmpctl: $_[0], see cmpctl --help\n";
    exit 2;
}


sub fail {
    print STDERR "cmpctl: $_[0]\n";
    exit($_[1] // 1);
}


# no words but those that the command takes

sub arguments {
    my ($count) = @_;

    usage_error('an argument is missing') if @ARGV < $count;
    usage_error("unexpected \"$ARGV[$count]\"") if @ARGV > $count;
}


sub required {
    for my $option (@_) {
        usage_error("--$option is missing")
            if !defined $opt{$option} || $opt{$option} eq '';
    }
}


1;
