package Cmpctl::CA;

# Copyright (C) ngx_http_cmp_module contributors
#
# cmpctl ca: CAs, and the successor of a root.

use strict;
use warnings;

use Cmpctl::Common;
use Cmpctl::Database;
use Exporter qw(import);
use File::Temp ();
use POSIX ();

our @EXPORT = qw(ca_list ca_rollover);


sub ca_list {
    arguments(0);

    return show('ca, id, created', 'cmp.ca_list()');
}


sub ca_rollover {
    arguments(0);
    required('ca');

    my @files = grep { defined $opt{$_} }
        qw(new-root old-root new-with-old old-with-new);
    my $ca = value($opt{ca}, 'text');

    usage_error('--show, --cancel and files exclude each other')
        if !!$opt{show} + !!$opt{cancel} + !!@files > 1;

    return show('*', "cmp.rollover_show($ca)", 1) if $opt{show};

    if ($opt{cancel}) {
        psql("SELECT cmp.rollover_cancel($ca);");
        return 0;
    }

    required('new-root');

    my %certs = map { $_ => x509($opt{$_}) } @files;

    rollover_check(\%certs);

    psql("SELECT cmp.rollover_set($ca, " . join(', ',
        map { $certs{$_} ? bytes($certs{$_}{hex}) : 'NULL' }
            qw(new-root new-with-old old-with-new old-root)) . ');');

    return 0;
}


# Names, keys and signatures have to fit together (RFC 9810, 4.4): nobody can
# take back a wrong certificate that clients have taken for a root.

sub rollover_check {
    my ($certs) = @_;
    my ($new, $old, $new_old, $old_new) =
        @{$certs}{qw(new-root old-root new-with-old old-with-new)};

    verify($new, $new, 'is not a self-signed CA certificate');

    if ($old) {
        verify($old, $old, 'is not a self-signed CA certificate');
        fail("$old->{file} and $new->{file} are the same certificate")
            if $old->{hex} eq $new->{hex};
    }

    if ($old_new) {
        verify($old_new, $new, "is not signed by $new->{file}");
        fail("$old_new->{file} has the key of $new->{file}")
            if $old_new->{key} eq $new->{key};
        same($old_new, $old, 'subject', 'key') if $old;
    }

    return if !$new_old;

    my $by = $old // $old_new
        // usage_error('--old-root or --old-with-new is missing, the old key'
                       . ' is needed to check --new-with-old');

    same($new_old, $new, 'subject', 'key');
    fail("$new_old->{file} is signed by itself")
        if $new_old->{key} eq $by->{key};
    verify($new_old, $by, "is not signed by the key of $by->{file}");
}


sub same {
    my ($cert, $other, @what) = @_;

    for my $what (@what) {
        fail("$cert->{file} has not the $what of $other->{file}")
            if $cert->{$what} ne $other->{$what};
    }
}


# signature, names, times, basicConstraints, keyUsage

sub verify {
    my ($cert, $by, $text) = @_;
    my $out = openssl('verify', '-check_ss_sig', '-no-CAfile', '-no-CApath',
                      '-no-CAstore', '-purpose', 'any', '-trusted',
                      $by->{pem}, $by != $cert ? '-partial_chain' : (),
                      $cert->{pem});
    my ($why) = ($out // '') =~ /lookup: (.+)/;

    fail("$cert->{file} $text" . (defined $why ? ": $why" : ''))
        if !defined $out || $out !~ /: OK$/m;
    fail("$cert->{file} is not a CA certificate") if !$cert->{ca};
}


sub x509 {
    my ($file) = @_;

    open my $fh, '<:raw', $file or fail("$file: $!");
    my $data = do { local $/; <$fh> } // '';

    fail("$file has more than one certificate")
        if (() = $data =~ /-----BEGIN/g) > 1;

    my $pem = File::Temp->new(TEMPLATE => 'cmpctl-XXXXXX', TMPDIR => 1);
    my $der = openssl('x509', '-in', $file, '-outform', 'DER');

    openssl('x509', '-in', $file, '-out', $pem->filename)
        if defined $der && $der =~ /^0/;

    fail("$file is not a certificate") if !-s $pem->filename;

    my %cert = (file => $file, temp => $pem, pem => $pem->filename,
                hex => unpack('H*', $der));

    $cert{key} = openssl('x509', '-in', $pem->filename, '-noout', '-pubkey');
    $cert{subject} = openssl('x509', '-in', $pem->filename, '-noout',
                             '-subject', '-nameopt', 'RFC2253');
    $cert{ca} = (openssl('x509', '-in', $pem->filename, '-noout', '-ext',
                         'basicConstraints') // '') =~ /CA:TRUE/;

    fail("$file is not a certificate that can be read")
        if !defined $cert{key} || !defined $cert{subject};

    return \%cert;
}


# what openssl prints; undef when it fails, but for "verify"

sub openssl {
    my @command = ('openssl', @_);
    my $pid = open(my $out, '-|') // fail("fork() failed: $!");

    if ($pid == 0) {
        open STDIN, '<', '/dev/null';
        open STDERR, $_[0] eq 'verify' ? '>&STDOUT' : '>/dev/null';
        { no warnings 'exec'; exec { $command[0] } @command; }
        POSIX::_exit(127);
    }

    binmode $out;
    my $printed = do { local $/; <$out> } // '';
    close $out;

    fail('openssl cannot be run') if $? >> 8 == 127;

    return $? == 0 || $_[0] eq 'verify' ? $printed : undef;
}


1;
