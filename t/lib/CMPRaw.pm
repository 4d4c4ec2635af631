package CMPRaw;

# Copyright (C) ngx_http_cmp_module contributors
#
# Requests as bytes, for test files about HTTP.
#
#     message(COMMAND, ARG...)
#                   the first message that `openssl cmp` would send, made
#                   without a server
#     post(URI, BODY, HEADER => VALUE...)
#                   one message in a connection of its own, see http() of
#                   CMPTest; Content-Type is application/pkixcmp
#     request(URI, BODY, HEADER => VALUE...)
#                   the text of a POST, for raw(); METHOD, VERSION and TYPE
#                   change the first line and the Content-Type; a header
#                   that is undef is left out
#     chunked(SIZE, BODY)
#                   the body in chunks of SIZE
#     responses(BYTES)
#                   what raw() has got: a list of what http() returns, each
#                   body as long as its Content-Length says
#     body(DER)     the number of the PKIBody; -1 when it is no PKIMessage
#     status(DER)   of an ip, cp, kup, error: [PKIStatus, text, failInfo bit]
#     header_field(DER, N)
#                   content of the field with the tag [N] of the header
#     der(TAG, CONTENT...)
#                   encodes
#     iterations(MESSAGE, N, SECRET)
#                   the message with a PasswordBasedMac of N iterations; the
#                   right one when the secret is given
#     cmp_ok_answer(RESPONSE, BODY, NAME)
#                   tests: status 200, the headers that every answer has, and
#                   the number of the PKIBody

use strict;
use warnings;

use CMPTest ();
use Digest::SHA ();
use Exporter qw(import);
use Test::More ();

our @EXPORT = qw(message post request chunked responses body status
                 header_field der iterations cmp_ok_answer);

my $messages = 0;
my $salt = 'salt of 16 bytes';
my %derived;


sub message {
    my ($command, @args) = @_;
    my $file = CMPTest::tmp('message-' . ++$messages . '.der');
    my $dummy = CMPTest::tmp('dummy.der');

    # an answer of a kind that ends it

    if (!-s $dummy) {
        open my $fh, '>', $dummy or die "$dummy: $!";
        binmode $fh;
        print $fh der(0x30, der(0x30, der(2, "\2"), map {
                      der(0xa4, der(0x30)) } 1 .. 2), der(0xb3, der(5)));
        close $fh;
    }

    if ($command =~ /^(?:ir|cr|p10cr|kur)$/) {
        push @args, '-certout', CMPTest::tmp('never.pem');
    }

    my ($status, $out) = CMPTest::client($command, @args, '-reqout', $file,
                                         '-rspin', $dummy);

    die "no message was made: $out" if !-s $file;

    return CMPTest::slurp($file);
}


sub request {
    my ($uri, $body, %headers) = @_;
    my $method = delete $headers{METHOD} // 'POST';
    my $version = delete $headers{VERSION} // '1.1';

    %headers = ('Host' => 'localhost', 'Content-Type' => 'application/pkixcmp',
                'Content-Length' => length($body // ''), %headers);

    my $text = "$method $uri HTTP/$version\r\n";

    for my $name (sort keys %headers) {
        $text .= "$name: $headers{$name}\r\n" if defined $headers{$name};
    }

    return "$text\r\n" . ($body // '');
}


# a minute, as a thread with many iterations lets everything else first

sub post {
    my ($uri, $body, %headers) = @_;
    my ($first) = responses(CMPTest::raw(request($uri, $body,
                                    'Connection' => 'close', %headers), 60));

    return $first // { status => 0, headers => {}, body => '' };
}


sub chunked {
    my ($size, $body) = @_;

    return join('', map { sprintf "%x\r\n%s\r\n", length $_, $_ }
                    unpack "(a$size)*", $body) . "0\r\n\r\n";
}


sub responses {
    my $raw = shift // '';
    my @list;

    while ($raw =~ s/^HTTP\/1\.\d (\d+)[^\r\n]*\r\n(.*?)\r\n\r\n//s) {
        my ($status, $head) = ($1, $2);
        my %headers = map { /^([^:]+): *(.*)$/ ? (lc $1, $2) : () }
                      split /\r\n/, $head;
        my $body = '';

        if ($status >= 200) {
            my $len = $headers{'content-length'};

            $len = length $raw if !defined $len || $len > length $raw;
            $body = substr $raw, 0, $len, '';
        }

        push @list, { status => $status, headers => \%headers,
                      body => $body };
    }

    push @list, { status => -1, headers => {}, body => $raw } if length $raw;

    return @list;
}


sub der {
    my ($tag, @content) = @_;
    my $content = join '', @content;
    my $len = length $content;

    return pack('CC', $tag, $len) . $content if $len < 128;
    return pack('CCC', $tag, 0x81, $len) . $content if $len < 256;
    return pack('CCn', $tag, 0x82, $len) . $content if $len < 65536;
    return pack('CCN', $tag, 0x84, $len) . $content;
}


# a list of [tag, content]; undef when it is no DER

sub decode {
    my $data = shift;
    my @list;

    while (length $data) {
        return undef if length $data < 2;

        my ($tag, $len) = unpack 'CC', substr $data, 0, 2, '';

        if ($len > 127) {
            my $n = $len & 127;

            return undef if $n == 0 || $n > 4 || length $data < $n;
            $len = unpack 'N', "\0" x (4 - $n) . substr $data, 0, $n, '';
        }

        return undef if length $data < $len;
        push @list, [$tag, substr $data, 0, $len, ''];
    }

    return \@list;
}


sub parts {
    my $data = shift;
    my $outer = decode($data // '');

    return if !$outer || @$outer != 1 || $outer->[0][0] != 0x30;

    my $parts = decode($outer->[0][1]);

    return if !$parts || @$parts < 2 || $parts->[0][0] != 0x30;
    return @$parts;
}


sub body {
    my (undef, $body) = parts(shift);

    return -1 if !$body || ($body->[0] & 0xe0) != 0xa0;
    return $body->[0] & 0x1f;
}


sub status {
    my (undef, $body) = parts(shift);
    my $number = $body->[0] & 0x1f;
    my $info = decode($body->[1])->[0][1];

    if ($number != 23) {

        # CertRepMessage: the first response's PKIStatusInfo

        my ($list) = grep { $_->[0] == 0x30 } @{decode($info)};

        $info = decode(decode($list->[1])->[0][1])->[1][1];

    } else {
        $info = decode($info)->[0][1];
    }

    my ($status, $text, $fail) = (-1, '', -1);

    for my $part (@{decode($info)}) {
        $status = unpack 'C', $part->[1] if $part->[0] == 2;
        $text = decode($part->[1])->[0][1] if $part->[0] == 0x30;

        if ($part->[0] == 3) {
            ($fail) = grep { vec_bit(substr($part->[1], 1), $_) } 0 .. 26;
        }
    }

    return [$status, $text, $fail];
}


sub vec_bit {
    my ($bytes, $n) = @_;

    return 0 if $n >= 8 * length $bytes;
    return ord(substr $bytes, $n >> 3, 1) >> (7 - ($n & 7)) & 1;
}


sub header_field {
    my ($der, $n) = @_;
    my ($header) = parts($der);
    my (undef, undef, undef, @fields) = @{decode($header->[1])};
    my ($field) = grep { $_->[0] == (0xa0 | $n) } @fields;

    return $field ? decode($field->[1])->[0][1] : undef;
}


# The key for a salt and a number of iterations.  What has been derived is kept:
# a few million take seconds here, and the server derives each anew.

sub derived {
    my ($secret, $salt, $n) = @_;
    my $known = $derived{"$secret\0$salt"} //= [[0, "$secret$salt"]];
    my ($from) = grep { $_->[0] <= $n } @$known;
    my ($done, $key) = @$from;

    return $key if $done == $n;

    $key = Digest::SHA::sha256($key) for $done + 1 .. $n;
    @$known = sort { $b->[0] <=> $a->[0] } @$known, [$n, $key];

    return $key;
}


# owf SHA-256 with HMAC-SHA-1, which is what `openssl cmp` takes; with a secret
# the salt is the same for all messages of a file

sub iterations {
    my ($message, $n, $secret) = @_;
    my ($header, $body, @rest) = @{decode(decode($message)->[0][1])};
    my @fields = @{decode($header->[1])};
    my ($alg) = grep { $_->[0] == 0xa1 } @fields;
    my ($oid, $parameters) = @{decode(decode($alg->[1])->[0][1])};
    my @parameters = @{decode($parameters->[1])};
    my $number = pack 'N', $n;

    $parameters[0][1] = $salt if defined $secret;
    $number =~ s/^\0+(?=[\0-\x7f])//;
    $parameters[2] = [2, $number];
    $alg->[1] = der(0x30, der(@$oid), der(0x30, map { der(@$_) } @parameters));

    my $parts = der(0x30, map { der(@$_) } @fields) . der(@$body);

    if (defined $secret) {
        my $mac = Digest::SHA::hmac_sha1(der(0x30, $parts),
                                         derived($secret, $salt, $n));

        @rest = ([0xa0, der(3, "\0$mac")],
                 grep { $_->[0] != 0xa0 } @rest);
    }

    return der(0x30, $parts, map { der(@$_) } @rest);
}


sub cmp_ok_answer {
    my ($response, $body, $name) = @_;
    my $headers = $response->{headers};

    Test::More::is($response->{status}, 200, "$name: status")
        or Test::More::diag($response->{body});
    Test::More::is($headers->{'content-type'}, 'application/pkixcmp',
                   "$name: Content-Type");
    Test::More::is($headers->{'cache-control'}, 'no-store',
                   "$name: Cache-Control");
    Test::More::is($headers->{'content-length'}, length $response->{body},
                   "$name: Content-Length");
    Test::More::is(body($response->{body}), $body, "$name: body");
}


1;
