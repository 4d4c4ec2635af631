package CMPTest::Server;

# Copyright (C) ngx_http_cmp_module contributors
#
# The servers: what nginx logs, its reload and configuration, and a PostgreSQL
# cluster that a test file has for itself.

use strict;
use warnings;

use CMPTest::Client;
use CMPTest::Place;
use Exporter qw(import);
use Test::More ();

our @EXPORT = qw(error_log nginx_pid reload own_cluster cluster http2
                 default_http_config default_config);


sub error_log {
    return slurp("$ENV{TEST_NGINX_SERVROOT}/logs/error.log");
}


sub nginx_pid {
    my $pid = slurp("$ENV{TEST_NGINX_SERVROOT}/logs/nginx.pid");

    $pid =~ s/\s+//g;

    return $pid;
}


# a parameter of "listen" before nginx 1.25.1, a directive since then

sub http2 {
    my (undef, $version) = execute($ENV{TEST_NGINX_BINARY}, '-v');
    my ($minor) = $version =~ m{nginx/1\.(\d+)\.};

    return $minor > 25 ? ('', 'http2 on;') : (' http2', '');
}


# needs master_on() in the test file

sub reload {
    my $before = () = error_log() =~ /reconfiguring/g;
    my $done = () = error_log() =~ /start worker process /g;

    kill 'HUP', nginx_pid();

    return wait_for(sub {
        my $log = error_log();
        my $now = () = $log =~ /reconfiguring/g;
        my $started = () = $log =~ /start worker process /g;

        return $now > $before && $started > $done;
    }, 10);
}


sub own_cluster {
    $CMPTest::Cluster = tmp('pg');

    cluster('start');

    my ($status, $out) = execute($ENV{TEST_CMP_CMPCTL} || 'sql/cmpctl',
                             '--dsn', $CMPTest::Admin, 'init');

    Test::More::BAIL_OUT("cmpctl init failed: $out") if $status != 0;

    $CMPTest::Database = 'cmp';
}


sub cluster {
    my ($command, @args) = @_;
    my ($status, $out) = execute('t/lib/pgcluster', $command, $CMPTest::Cluster, @args);

    Test::More::BAIL_OUT("pgcluster $command failed: $out") if $status != 0;

    if ($command ne 'stop') {
        ($CMPTest::Admin) = $out =~ /^(host=.*)$/m;
    }
}


# A store, a profile and a CA.  Arguments are lines to add: store (parameters
# of cmp_store), profile, ca, http; or replace: keys (of the profile),
# certificate, key, response, response_key, trusted (lines).

sub default_http_config {
    my %with = (pki => pki(), @_);
    my $dir = $with{pki};

    %with = (
        certificate => "$dir/ca-chain.pem", key => "$dir/ca.key",
        response => "$dir/response.pem", response_key => "$dir/response.key",
        store => '', profile => '', ca => '', http => '',
        keys => 'ec:P-256 ec:P-384 ed25519 rsa:2048-4096', %with
    );
    my $trusted = $with{trusted}
        // '    trusted_certificate ' . pki('vendor-root.pem') . ";\n"
           . '    trusted_crl ' . pki('vendor.crl') . ";\n";

    return <<"_EOC_";
cmp_store "${\conninfo()}" key=${\seal_key()} $with{store};

cmp_profile device {
    validity        30d;
    key             $with{keys};
    key_usage       digitalSignature keyAgreement;
$with{profile}
}

cmp_ca devices {
    certificate               $with{certificate};
    certificate_key           $with{key};
    response_certificate      $with{response};
    response_certificate_key  $with{response_key};
$trusted
    profile                   device;
$with{ca}
}

$with{http}
_EOC_
}


sub default_config {
    return <<'_EOC_';
location /pkix/             { cmp_pass devices; }
location /.well-known/cmp   { cmp_pass devices; }
location = /crl/devices.crl { cmp_crl devices; }
_EOC_
}


END {
    local $?;

    if (defined $CMPTest::Cluster && -d $CMPTest::Cluster) {
        execute('t/lib/pgcluster', 'stop', $CMPTest::Cluster, 'immediate');
    }
}


1;
