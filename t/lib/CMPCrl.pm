package CMPCrl;

# Copyright (C) ngx_http_cmp_module contributors
#
# CRLs as a relying party sees them.
#
#     use CMPTest;
#     use CMPCrl;
#
#     enrol(NAME, ARG...)       a confirmed certificate for CN=NAME by the
#                               secret of device1, which the file adds: its
#                               file, key and serial number (upper case)
#     crl(URI, NAME, PORT)      fetches a CRL into tmp(NAME), PEM: number,
#                               text, response
#     base(TEXT)                of a delta CRL, by its text; undef: no delta
#     verify(CERT, [CRL...], ARG...)
#                               `openssl verify -crl_check` with these files:
#                               0 or an error
#     node(PORT)                another nginx with the configuration of the
#                               block on this port, for the same database
#     node_stop()               ends it; its error log
#     made()                    numbers of the CRLs made, from the error log

use strict;
use warnings;

use File::Path ();
use IO::Socket::INET;
use POSIX ();
use Test::More ();

our $node;

sub import {
    my $caller = caller;

    no strict 'refs';

    *{"${caller}::$_"} = \&$_
        for qw(enrol crl base verify node node_stop made);
}


sub enrol {
    my ($name, @args) = @_;
    my $key = CMPTest::newkey();
    my $file = CMPTest::tmp("$name.pem");

    my ($status, $out) = CMPTest::client('ir', '-ref', 'device1', '-secret',
        'pass:insecure', '-subject', "/CN=$name", '-newkey', $key,
        '-certout', $file, '-implicit_confirm', @args);

    Test::More::is($status, 0, "a certificate for $name")
        or Test::More::diag($out);

    return ($file, $key, uc CMPTest::sql(
        "SELECT encode(serial, 'hex') FROM cmp.certificate
         WHERE subject = 'CN=$name' ORDER BY serial DESC LIMIT 1"));
}


sub crl {
    my ($uri, $name, $port) = @_;

    local $CMPTest::Port = $port // $CMPTest::Port;

    my $r = CMPTest::http('GET', $uri);
    my $file = CMPTest::tmp($name // 'now.pem');

    open my $fh, '>', "$file.der" or die;
    binmode $fh;
    print $fh $r->{body};
    close $fh;

    my ($status, $out) = CMPTest::execute('openssl', 'crl', '-inform', 'DER',
        '-in', "$file.der", '-out', $file, '-text', '-crlnumber');
    my ($number) = $out =~ /crlNumber=0x([0-9A-F]+)/;

    return (hex($number // 0), CMPTest::slurp($file), $r);
}


sub base {
    my ($text) = @_;

    my ($critical, $number) =
        $text =~ /X509v3 Delta CRL Indicator:( critical)?\s+(\d+)/;

    Test::More::ok($critical, 'the indicator is critical') if defined $number;

    return $number;
}


sub verify {
    my ($cert, $crls, @args) = @_;

    my ($status, $out) = CMPTest::execute('openssl', 'verify', '-crl_check',
        '-CAfile', CMPTest::pki('root.pem'), '-untrusted',
        CMPTest::pki('ca.pem'), @args,
        (map { ('-CRLfile', CMPTest::tmp($_)) } @$crls), $cert);

    return 0 if $status == 0;

    my ($why) = $out =~ /lookup: (.*)/;

    return $why // $out;
}


sub node {
    my ($port) = @_;

    my $dir = CMPTest::tmp('node');
    my $conf = CMPTest::slurp("$ENV{TEST_NGINX_SERVROOT}/conf/nginx.conf");
    my $here = CMPTest::port();

    $conf =~ s/\b$here\b/$port/g;
    $conf =~ s/^daemon .*/daemon off;/m;
    $conf =~ s/\Q$ENV{TEST_NGINX_SERVROOT}\E/$dir/g;

    File::Path::make_path("$dir/conf", "$dir/logs", "$dir/html");

    for my $file (glob "$ENV{TEST_NGINX_SERVROOT}/conf/*") {
        next if $file =~ /nginx\.conf$/ || -d $file;
        CMPTest::execute('cp', $file, "$dir/conf/");
    }

    open my $fh, '>', "$dir/conf/nginx.conf" or die;
    print $fh $conf;
    close $fh;

    # without a daemon there is somebody to wait for

    $node = fork() // die;

    if ($node == 0) {
        open STDIN, '<', '/dev/null';
        open STDOUT, '>', "$dir/logs/out";
        open STDERR, '>&', \*STDOUT;
        exec($ENV{TEST_NGINX_BINARY} || 'nginx', '-p', "$dir/", '-c',
             'conf/nginx.conf') or POSIX::_exit(1);
    }

    return CMPTest::wait_for(sub {
        IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port)
    }, 15);
}


sub node_stop {
    my $log = CMPTest::tmp('node/logs/error.log');

    if ($node) {
        kill 'TERM', $node;
        waitpid $node, 0;
        undef $node;
    }

    return CMPTest::slurp($log);
}


END {
    my $status = $?;

    node_stop() if $node;
    $? = $status;
}


sub made {
    return $_[0] =~ /CRL (\d+)(?: \w+ [^"]*?)? with \d+ entries made/g;
}

1;
