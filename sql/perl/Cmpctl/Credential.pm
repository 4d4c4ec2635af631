package Cmpctl::Credential;

# Copyright (C) ngx_http_cmp_module contributors
#
# cmpctl credential: shared secrets and registration tokens.

use strict;
use warnings;

use Cmpctl::Common;
use Cmpctl::Database;
use Exporter qw(import);
use File::Temp ();
use POSIX ();

our @EXPORT = qw(credential_add credential_list credential_disable);


sub reference {
    required('ca');

    if (defined $opt{'reference-hex'}) {
        usage_error('--reference-hex: not hexadecimal')
            if $opt{'reference-hex'} !~ /^(?:[0-9A-Fa-f]{2}){1,256}$/;

        return lc $opt{'reference-hex'};
    }

    required('reference');

    usage_error('--reference is too long') if length $opt{reference} > 256;

    return unpack 'H*', $opt{reference};
}


sub credential_add {
    my ($secret, $printed);

    arguments(0);

    my $reference = reference();
    my $token = $opt{token};
    my $file = $token ? '--token' : $opt{'key-file'}
        // usage_error('--key-file is missing, secrets are sealed with it');

    if ($token) {
        usage_error('a token is for one request for a certificate')
            if grep { defined $opt{$_} } qw(uses may-revoke token-needed);

        $opt{uses} = 1;
    }

    if ($opt{'secret-stdin'}) {
        binmode STDIN;
        $secret = do { local $/; <STDIN> } // '';
        $secret =~ s/\r?\n\z//;

        fail('the secret is empty') if $secret eq '';
        fail('the secret is longer than 1024 octets') if length $secret > 1024;

    } else {
        $secret = random_secret();
        $printed = 1;
    }

    my $sealed = seal($secret, $file, $opt{ca}, $reference,
        (map { "subject=$_" } $opt{subject} // ()),
        (map { "san=$_" } @{$opt{san} || []}));

    my $bytes = "decode('$sealed', 'hex')";

    psql('SELECT cmp.credential_add(' . join(', ',
        value($opt{ca}, 'text'), bytes($reference), $token ? 'NULL' : $bytes,
        values_array($opt{profile}), value($opt{subject}, 'text'),
        values_array($opt{san}), integer('uses'), time_value('expires', '+'),
        ($opt{'may-revoke'} ? 'true' : 'false'),
        ($opt{replace} ? 'true' : 'false'),
        ($opt{'token-needed'} ? 'true' : 'false'),
        $token ? $bytes : 'NULL') . ');');

    print "$secret\n" if $printed;

    return 0;
}


# 24 random octets as 32 characters that no shell minds

sub random_secret {
    open my $fh, '<:raw', '/dev/urandom' or fail("/dev/urandom: $!");
    read($fh, my $octets, 24) == 24 or fail("/dev/urandom: $!");

    my $text = pack 'u', $octets;

    $text =~ s/^.//;
    chomp $text;
    $text =~ tr| -_`|A-Za-z0-9_\-A|;

    return $text;
}


# the secret, sealed by the helper, which checks the patterns too

sub seal {
    my ($secret, @args) = @_;
    my $dir = program_dir();
    my ($helper) = grep { defined $_ && -x $_ }
        $ENV{CMPCTL_SEAL}, "$dir/cmpctl-seal",
        "$dir/../lib/ngx_http_cmp_module/cmpctl-seal",
        '/usr/lib/ngx_http_cmp_module/cmpctl-seal',
        "$dir/../build-release/cmpctl-seal", "$dir/../build-debug/cmpctl-seal",
        "$dir/../build-sanitize/cmpctl-seal";

    fail('cmpctl-seal is not found, set CMPCTL_SEAL to its path')
        if !defined $helper;

    my $sealed = File::Temp->new(TEMPLATE => 'cmpctl-XXXXXX', TMPDIR => 1);
    my $pid = open(my $in, '|-') // fail("fork() failed: $!");

    if ($pid == 0) {
        open STDOUT, '>&', $sealed;
        my @command = ($helper, @args);
        { no warnings 'exec'; exec { $helper } @command; }
        POSIX::_exit(127);
    }

    local $SIG{PIPE} = 'IGNORE';

    binmode $in;
    print $in $secret;
    close $in or exit 1;

    open my $fh, '<', $sealed->filename or fail("$sealed: $!");
    my $hex = <$fh> // '';
    chomp $hex;

    fail('cmpctl-seal gave no result') if $hex !~ /^[0-9a-f]{60,2106}$/;

    return $hex;
}


sub credential_list {
    arguments(0);

    return show('*', 'cmp.credential_list(' . join(', ',
        value($opt{ca}, 'text'), value($opt{reference}, 'text')) . ')');
}


sub credential_disable {
    my ($name) = @_;

    arguments(0);

    psql('SELECT cmp.credential_disable(' . join(', ',
        value($opt{ca}, 'text'), bytes(reference()),
        ($name eq 'credential disable' ? 'true' : 'false')) . ');');

    return 0;
}


1;
