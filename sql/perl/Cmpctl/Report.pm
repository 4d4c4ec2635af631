package Cmpctl::Report;

# Copyright (C) ngx_http_cmp_module contributors
#
# cmpctl report: what the CAs have done, in numbers, and what wants attention.

use strict;
use warnings;

use Cmpctl::Common;
use Cmpctl::Database;
use Exporter qw(import);

our @EXPORT = qw(report);

my @parts = qw(certificates keys activity requests crls audit);

my %titles = (
    period       => 'Report',
    certificates => 'Certificates',
    keys         => 'Keys of certificates in use',
    activity     => 'Issued, refused, revoked in the period',
    requests     => 'Requests that wait',
    crls         => 'CRLs',
    audit        => 'Audit of the period',
);


# The parts that were asked for, or all: in one snapshot of the database.

sub report {
    my %asked = map { $_ => 1 } @ARGV;

    for my $part (@ARGV) {
        usage_error("\"$part\" is not a part of the report: "
                    . join(', ', @parts)) if !grep { $_ eq $part } @parts;
    }

    my @wanted = grep { !%asked || $asked{$_} } @parts;
    my %from = from();

    if ($opt{json}) {
        print psql('SELECT json_build_object('
            . join(', ', (map { "'$_', p.$_" }
                          qw(at since until expiring_before)),
                   (map { "'$_', (SELECT coalesce(json_agg(r), '[]')"
                          . " FROM $from{$_} r)" } @wanted))
            . ") FROM $from{period} p;", ['-At']);

        return 0;
    }

    print psql(join("\n", 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;',
        map({ "\\qecho '$titles{$_}'\nSELECT * FROM $from{$_} r;" }
            'period', @wanted), 'COMMIT;'));

    return 0;
}


# each part as what follows FROM

sub from {
    my $ca = value($opt{ca}, 'text');
    my $since = time_value('since', '-');
    my $until = time_value('until', '-');

    $opt{expiring} //= '30d';
    $opt{expiring} .= 'd' if $opt{expiring} =~ /^\d+$/;

    my $expiring = time_value('expiring', '+');

    return (
        period       => "(SELECT now() AS at, p.*, $expiring"
                        . ' AS expiring_before'
                        . " FROM cmp.report_period($since, $until) p)",
        certificates => "cmp.report_certificates($ca, $expiring)",
        keys         => "cmp.report_keys($ca)",
        activity     => "cmp.report_activity($ca, $since, $until)",
        requests     => "cmp.report_requests($ca)",
        crls         => "cmp.report_crls($ca)",
        audit        => "cmp.report_audit($ca, $since, $until)",
    );
}


1;
