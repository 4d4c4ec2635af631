package Cmpctl::CRL;

# Copyright (C) ngx_http_cmp_module contributors
#
# cmpctl crl.

use strict;
use warnings;

use Cmpctl::Common;
use Cmpctl::Database;
use Exporter qw(import);

our @EXPORT = qw(crl_show crl_publish);


sub crl_show {
    arguments(0);

    # as PEM: the one that everybody knows, unless another one is wanted

    if ($opt{pem}) {
        $opt{partition} //= 0;
        $opt{key} //= 0;
        $opt{kind} //= 'complete';
    }

    my $from = 'cmp.crl_show(' . join(', ', value($opt{ca}, 'text'),
        integer('partition'), integer('key'), value($opt{kind}, 'text')) . ')';

    if ($opt{pem}) {
        print psql("SELECT pem FROM $from;", ['-At']);
        return 0;
    }

    return show('ca, partition, key, kind, number, base, this_update,'
                . ' next_update, entries, octets', $from);
}


# An nginx makes them: the next one that looks, or is asked for one.

sub crl_publish {
    arguments(0);

    my $ca = value($opt{ca}, 'text');

    psql("SELECT cmp.crl_publish($ca);", ['-At']);

    return 0 if !$opt{wait};

    my $end = time + 120;

    while (time < $end) {
        my $awaited = psql('SELECT cmp.crl_awaited('
                           . value($opt{ca}, 'text') . ');', ['-At']);

        return 0 if $awaited == 0;

        sleep 1;
    }

    fail('no nginx has made the CRLs within two minutes, see its error log');
}


1;
