package Cmpctl::Certificate;

# Copyright (C) ngx_http_cmp_module contributors
#
# cmpctl certificate, request, audit: what was issued, what waits, and
# who was told what.

use strict;
use warnings;

use Cmpctl::Common;
use Cmpctl::Database;
use Exporter qw(import);

our @EXPORT = qw(certificate_list certificate_show certificate_change
                 request_list request_show request_decide audit_list);


sub certificate_list {
    arguments(0);

    return show('ca, serial, state, subject, profile, not_after, revoked,'
                . ' reason' . ($opt{json} ? ', key_hash' : ''),
        'cmp.certificate_list(' . join(', ',
        value($opt{ca}, 'text'), value($opt{serial}, 'text'),
        value($opt{subject}, 'text'), value($opt{state}, 'text'),
        value($opt{profile}, 'text'), time_value('since', '-'),
        time_value('expires-before', '+'), limit(),
        value($opt{'key-hash'}, 'text'), value($opt{after}, 'text')) . ')');
}


sub certificate_show {
    arguments(1);

    my $from = 'cmp.certificate_show(' . join(', ', value($opt{ca}, 'text'),
        value($ARGV[0], 'text')) . ')';

    if ($opt{pem}) {
        print psql("SELECT pem FROM $from;", ['-At']);
        return 0;
    }

    return show('*', $from, 1);
}


sub certificate_change {
    my ($name) = @_;

    usage_error('an argument is missing') if !@ARGV;

    my ($action) = $name =~ /(\w+)$/;

    psql("BEGIN;\n" . join("\n", map {
        'SELECT cmp.certificate_change(' . join(', ',
        value($opt{ca}, 'text'), value($_, 'text'),
        value($action, 'text'), value($opt{reason} // 'unspecified', 'text'),
        time_value('invalid-since', '-')) . ');' } @ARGV) . "\nCOMMIT;");

    return 0;
}


sub request_list {
    my $state = $opt{state} // 'pending';

    arguments(0);

    return show('id, ca, type, state, requester, profile, subject, sans,'
                . ' created, expires', 'cmp.request_list(' . join(', ',
        value($opt{ca}, 'text'),
        value($state eq 'all' ? undef : $state, 'text'),
        value($opt{subject}, 'text'), limit()) . ')');
}


sub request_id {
    arguments(1);

    usage_error("\"$ARGV[0]\" is not the number of a request")
        if $ARGV[0] !~ /^\d{1,18}$/;

    return value($ARGV[0], 'int8');
}


sub request_show {
    return show('*', 'cmp.request_show(' . request_id() . ')', 1);
}


sub request_decide {
    my ($name) = @_;

    psql('SELECT cmp.request_decide(' . join(', ', request_id(),
        ($name eq 'request approve' ? 'true' : 'false'),
        value($opt{reason}, 'text')) . ');');

    return 0;
}


sub audit_list {
    arguments(0);

    return show('*', 'cmp.audit_list(' . join(', ',
        value($opt{ca}, 'text'), value($opt{serial}, 'text'),
        value($opt{transaction}, 'text'), value($opt{requester}, 'text'),
        value($opt{action}, 'text'), time_value('since', '-'),
        time_value('until', '-'), limit()) . ')');
}


1;
