#!/usr/bin/perl

# Copyright (C) ngx_http_cmp_module contributors
#
# The tests of the store that are C programs: LOAD, COMMIT, the sweeper, CRLs.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use CMPStore;
use Test::More;

my $programs = make_programs();

database();

$ENV{TEST_CMP_ADMIN} = admin();
$ENV{TEST_CMP_SERVER} = server();

for my $program (qw(commit_test crl_kinds_test crl_test load_test
                    responder_test sweep_test wait_test)) {
    my $out = `$programs/$program 2>&1`;

    is($?, 0, $program) or diag($out);
}

done_testing();
