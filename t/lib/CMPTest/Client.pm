package CMPTest::Client;

# Copyright (C) ngx_http_cmp_module contributors
#
# Who talks to nginx and to the database: openssl cmp, HTTP, psql, cmpctl.

use strict;
use warnings;

use CMPTest::Place;
use Exporter qw(import);
use IO::Socket::INET;
use Test::More ();
use Time::HiRes qw(sleep time);

our @EXPORT = qw(newkey client sql cmpctl credential raw http wait_for);

my $nkeys = 0;


sub newkey {
    my $kind = shift // 'P-256';
    my $file = tmp('key-' . ++$nkeys . '.pem');
    my @how = $kind =~ /^P-/
                  ? ('EC', '-pkeyopt', "ec_paramgen_curve:$kind")
            : $kind =~ /^rsa(?::(\d+))?$/
                  ? ('RSA', '-pkeyopt', 'rsa_keygen_bits:' . ($1 // 2048))
            : (uc $kind);
    my ($status, $out) = execute('openssl', 'genpkey', '-out', $file,
                             '-algorithm', @how);

    die "openssl genpkey failed: $out" if $status != 0;

    return $file;
}


sub client {
    my ($command, @args) = @_;
    my %given = map { $_ => 1 } grep { /^-/ } @args;
    my @defaults = (
        -server => "127.0.0.1:$CMPTest::Port",
        -path => 'pkix/',
        -trusted => pki('root.pem'),
        -untrusted => pki('ca.pem'),
        -msg_timeout => 10,
        -total_timeout => 30,
    );

    while (my ($option, $value) = splice @defaults, 0, 2) {
        next if $given{$option};
        next if $option eq '-trusted' && $given{-srvcert};
        push @args, $option, $value;
    }

    return execute($ENV{TEST_CMP_OPENSSL} || 'openssl', 'cmp', '-config', '',
               '-no_proxy', '127.0.0.1,localhost', '-cmd', $command, @args);
}


sub sql {
    my ($status, $out) = execute('psql', '-XAtq', '-v', 'ON_ERROR_STOP=1',
                             '-d', admin_conninfo(), '-c', shift);

    $out =~ s/\s+$//;

    return $status == 0 ? $out : "psql failed: $out";
}


sub cmpctl {
    return execute($ENV{TEST_CMP_CMPCTL} || 'sql/cmpctl',
               '--dsn', admin_conninfo(), '--key-file', seal_key(), @_);
}


sub credential {
    my %options = (ca => 'devices', @_);
    my $secret = delete $options{secret};
    my @args;

    for my $name (sort keys %options) {
        push @args, "--$name";
        push @args, $options{$name} if defined $options{$name};
    }

    my $file = tmp('secret');

    open my $fh, '>', $file or die "$file: $!";
    print $fh $secret;
    close $fh;

    my ($status, $out) = execute('/bin/sh', '-c', 'exec "$@" <"$0"', $file,
        $ENV{TEST_CMP_CMPCTL} || 'sql/cmpctl', '--dsn', admin_conninfo(),
        '--key-file', seal_key(), 'credential', 'add', @args,
        '--secret-stdin');

    Test::More::BAIL_OUT("cmpctl credential add failed: $out")
        if $status != 0;

    return $out;
}


sub raw {
    my ($bytes, $timeout) = @_;
    my $sock = IO::Socket::INET->new(PeerAddr => '127.0.0.1',
        PeerPort => $CMPTest::Port, Proto => 'tcp') or return undef;
    my $end = time() + ($timeout // 10);
    my $all = '';

    local $SIG{PIPE} = 'IGNORE';
    $sock->autoflush(1);
    print $sock $bytes;

    while ((my $left = $end - time()) > 0) {
        my $set = '';

        vec($set, fileno $sock, 1) = 1;
        last if select($set, undef, undef, $left) <= 0;
        last if !sysread($sock, $all, 65536, length $all);
    }

    close $sock;

    return $all;
}


sub http {
    my ($method, $uri, $body, %headers) = @_;
    my $text = "$method $uri HTTP/1.1\r\n";

    %headers = ('Host' => 'localhost', 'Connection' => 'close', %headers);

    if (defined $body && !exists $headers{'Content-Length'}) {
        $headers{'Content-Length'} = length $body;
    }

    for my $name (sort keys %headers) {
        $text .= "$name: $headers{$name}\r\n" if defined $headers{$name};
    }

    my $raw = raw("$text\r\n" . ($body // '')) // '';
    my ($head, $content) = split /\r\n\r\n/, $raw, 2;
    my ($status) = ($head // '') =~ m{^HTTP/1\.\d (\d+)};
    my %received;

    while (($head // '') =~ /^([^:\r\n]+): *([^\r\n]*)/mg) {
        $received{lc $1} = $2;
    }

    return { status => $status // 0, headers => \%received,
             body => $content // '', raw => $raw };
}


sub wait_for {
    my ($code, $seconds) = @_;
    my $end = time() + ($seconds // 10);

    while (1) {
        my $value = $code->();

        return $value if $value;
        return 0 if time() > $end;
        sleep 0.05;
    }
}


1;
