# Copyright (C) ngx_http_cmp_module contributors
#
# Messages that nobody sends in good faith: too deep, too many, too long, of
# the wrong kind, with a right MAC wherever that gets them further.  Each has
# to be refused quickly, with one bit and a text, and to change nothing.

use lib 't/lib';
use CMPTest;
use CMPRaw;

use Digest::SHA qw(sha256 hmac_sha256);

credential(reference => 'device1', secret => 'insecure');

our $vendor = own_pki('P-256');
our $trusting = default_http_config(
    trusted => "trusted_certificate $vendor/vendor-root.pem;\n"
               . "trusted_crl $vendor/vendor.crl;\n");

our ($spki, $transactions) = (undef, 0);
our $key = newkey('P-256');

my ($status, $out) = execute('openssl', 'pkey', '-in', $key, '-pubout',
                             '-outform', 'DER', '-out', tmp('spki.der'));
is($status, 0, 'a key') or diag($out);
$spki = CMPTest::slurp(tmp('spki.der'));


# --- DER

sub seq { return der(0x30, @_) }
sub set { return der(0x31, @_) }
sub int { return der(0x02, ref $_[0] ? ${$_[0]} : pack 'C', $_[0]) }
sub octets { return der(0x04, @_) }
sub utf8 { return der(0x0c, @_) }
sub oid { return der(0x06, pack 'H*', shift) }
sub name { return seq(set(seq(oid('550403'), utf8(@_)))) }

sub deep {
    my $content = '';

    $content = seq($content) for 1 .. shift;

    return $content;
}

sub date { return der(0x18, shift) }

my @now = gmtime;

our $now = sprintf '%04d%02d%02d%02d%02d%02dZ', $now[5] + 1900, $now[4] + 1,
                   @now[3, 2, 1, 0];
our $pbm = '2a864886f67d07420d';
our $sha256 = seq(oid('608648016503040201'));
our $hmac = seq(oid('2a864886f70d0209'));


# --- messages

sub pbm_alg {
    my %with = (salt => 'saltsalt', iterations => 100, @_);

    return seq(oid($pbm), seq(octets($with{salt}), $sha256,
               main::int($with{iterations}), $hmac));
}

sub fresh { return pack 'a8NN', 'hostile-', $$, ++$transactions }

sub header {
    my %with = (pvno => 2, time => $now, alg => pbm_alg(), ref => 'device1',
                sender => name('device1'), more => '', @_);

    $with{transaction} //= fresh();

    return seq(main::int($with{pvno}), der(0xa4, $with{sender}),
        der(0xa4, name('CA')), der(0xa0, date($with{time})),
        der(0xa1, $with{alg}), der(0xa2, octets($with{ref})),
        der(0xa4, octets($with{transaction})),
        der(0xa5, octets($with{nonce} // fresh())),
        $with{more});
}

sub protected_part {
    my $content = shift;

    return seq($content) if length $content < 65536;
    return "\x30\x83" . substr(pack('N', length $content), 1) . $content;
}

sub sealed {
    my ($header, $body, @more) = @_;
    my $mac = 'insecuresaltsalt';

    $mac = sha256($mac) for 1 .. 100;
    $mac = hmac_sha256(protected_part("$header$body"), $mac);

    return seq($header, $body, der(0xa0, der(0x03, "\0$mac")), @more);
}

our %signed;

sub signature {
    my ($data, $key) = (@_, $main::key);

    if (!exists $signed{$data}) {
        open my $fh, '>', tmp('data') or die;
        binmode $fh;
        print $fh $data;
        close $fh;

        my ($status, $out) = execute('openssl', 'dgst', '-sha256', '-sign',
            $key, '-out', tmp('signature'), tmp('data'));

        die $out if $status != 0;
        $signed{$data} = CMPTest::slurp(tmp('signature'));
    }

    return $signed{$data};
}

sub certreq {
    my %with = (id => 0, subject => name('hostile'), key => $spki,
                before => '', after => '', controls => '', info => '', @_);
    my $public = $with{key};

    substr($public, 0, 1) = "\xa6";

    my $request = seq(main::int($with{id}), seq($with{before},
        der(0xa5, $with{subject}), $public, $with{after}), $with{controls});

    return seq($request, der(0xa1, seq(oid('2a8648ce3d040302')),
        der(0x03, "\0" . signature($request))), $with{info});
}

sub ir { return der(0xa0, seq(@_)) }

sub extensions { return der(0xa9, @_) }

sub extension {
    my ($oid, @value) = @_;

    return seq(oid($oid), octets(@value));
}


sub rsa {
    my ($n, $e) = @_;

    return seq(seq(oid('2a864886f70d010101'), der(0x05)),
               der(0x03, "\0" . seq(main::int(\$n), main::int(\$e))));
}

sub ec {
    my ($curve, $point) = @_;

    return seq(seq(oid('2a8648ce3d0201'), $curve), der(0x03, "\0$point"));
}

# the parameters of a curve over the integers modulo p

sub curve {
    my $p = shift;
    my $octets = "\0" x 31 . "\1";

    return seq(main::int(1), seq(oid('2a8648ce3d0101'), main::int(\$p)),
        seq(octets($octets), octets($octets)), octets("\2$octets"),
        main::int(\"\x7f\xff"), main::int(1));
}

sub certificate {
    my $file = shift;
    my ($status, $out) = execute('openssl', 'x509', '-in', $file, '-outform',
                                 'DER', '-out', tmp('certificate.der'));

    die $out if $status != 0;

    return CMPTest::slurp(tmp('certificate.der'));
}


# --- what is done with them

# user and system time of the server, in seconds

sub cpu {
    my $stat = CMPTest::slurp('/proc/' . nginx_pid() . '/stat');
    my @fields = split ' ', $stat =~ s/^.*\)//r;

    return ($fields[11] + $fields[12]) / 100;
}

sub certificates {
    return sql("SELECT count(*) FROM cmp.certificate");
}

our @bits = qw(
    badAlg badMessageCheck badRequest badTime badCertId badDataFormat
    wrongAuthority incorrectData missingTimeStamp badPOP certRevoked
    certConfirmed wrongIntegrity badRecipientNonce timeNotAvailable
    unacceptedPolicy unacceptedExtension addInfoNotAvailable badSenderNonce
    badCertTemplate signerNotTrusted transactionIdInUse unsupportedVersion
    notAuthorized systemUnavail systemFailure duplicateCertReq
);

# "HTTP status, body, bit" of the refusal; "granted" and the like

sub outcome {
    my $message = shift;
    my $before = cpu();
    my $r = post('/pkix/', $message);
    my $used = cpu() - $before;

    return "$used s of CPU" if $used >= 1;
    return "status $r->{status}" if $r->{status} !~ /^(?:200|400|413)$/;
    return '413' if $r->{status} == 413;

    my $body = body($r->{body});
    my $name = { 1 => 'ip', 3 => 'cp', 8 => 'kup', 12 => 'rp', 19 => 'pkiconf',
                 22 => 'genp', 23 => 'error', 26 => 'pollrep' }->{$body};

    return "body $body" if !defined $name;
    return "$r->{status} $name" if $name =~ /^(?:rp|pkiconf|genp|pollrep)$/;

    my ($status, $text, $bit) = @{CMPRaw::status($r->{body})};

    return 'granted' if $status == 0 || $status == 1;
    return "status $status" if $status != 2;
    return 'no text' if !length $text;
    return 'no bit' if $bit < 0;
    return "$r->{status} $name $bits[$bit]";
}

sub refused {
    my ($name, $message, $expected) = @_;

    is(outcome($message), $expected, $name);
}


# --- a message with one element changed

sub parse {
    my ($bytes) = @_;
    my @nodes;

    for my $part (@{CMPRaw::decode($bytes)}) {
        push @nodes, { tag => $part->[0], content => $part->[1],
            kids => $part->[0] & 0x20 ? parse($part->[1]) : undef };
    }

    return \@nodes;
}

sub encode {
    my $node = shift;

    return $node->{as} if defined $node->{as};
    return der($node->{tag}, $node->{kids} ? map { encode($_) }
                                                 @{$node->{kids}}
                                           : $node->{content});
}

sub nodes {
    return map { ($_, $_->{kids} ? nodes(@{$_->{kids}}) : ()) } @_;
}

# all that may stand for an element, each with a name

sub changes {
    my $node = shift;
    my $tag = $node->{tag};
    my $content = $node->{kids} ? join '', map { encode($_) } @{$node->{kids}}
                                : $node->{content};
    my $whole = der($tag, $content);
    my %as = (
        'empty' => der($tag), 'left out' => '', 'twice' => $whole x 2,
        'NULL' => der(0x05), 'another tag' => der($tag ^ 1, $content),
        'another class' => der($tag ^ 0x40, $content),
        'deep' => deep(40), 'an octet less' => der($tag, substr $content, 1),
        'a long length' => pack('CCN', $tag, 0x84, length $content) . $content,
        'over the end' => pack('CCN', $tag, 0x84, 1 + length $content)
                          . $content,
        'four gigabytes' => pack('CCN', $tag, 0x84, 0xffffffff) . $content,
        'no length' => pack('CC', $tag, 0x80) . $content . "\0\0",
        'no end' => pack('CC', $tag, 0x80) . $content,
    );

    if ($tag == 0x02) {
        $as{'huge'} = der($tag, "\x7f" x 3000);
        $as{'negative'} = der($tag, "\x80" . "\0" x 8);
        $as{'64 bits'} = der($tag, "\x7f" . "\xff" x 7);
        $as{'not minimal'} = der($tag, "\0" x 20 . $content);

    } elsif ($tag == 0x18 || $tag == 0x17) {
        $as{"time $_"} = der($tag, $_)
            for '99999999999999Z', '20260230000000Z', 'x' x 1000,
                '20260101', "20260101000000Z\0", '-0000101000000Z';

    } elsif ($tag == 0x0c) {
        $as{'no UTF-8'} = der($tag, "\xff\xfe\xc0\x80");
        $as{'with NUL'} = der($tag, "a\0b");
        $as{'long'} = der($tag, 'x' x 70000);

    } elsif ($tag == 0x06) {
        $as{'bad OID'} = der($tag, "\x80\x01");
        $as{'long OID'} = der($tag, "\xff" x 300 . "\x01");
        $as{'open OID'} = der($tag, "\x2a\xff");

    } elsif ($tag == 0x03) {
        $as{'9 unused bits'} = der($tag, "\x09" . substr $content, 1);

    } elsif ($tag == 0x04) {
        $as{'long'} = der($tag, 'x' x 70000);
    }

    return \%as;
}

# each change of each element of a part, and what becomes of them; the number
# of those that are granted, since not every change does harm

sub mutate {
    my ($name, $part, $make) = @_;
    my ($root) = @{parse($part)};
    my ($count, $granted, %bad) = (0, 0);
    my $before = cpu();

    for my $node (nodes($root)) {
        my $as = changes($node);

        for my $change (sort keys %$as) {
            $node->{as} = $as->{$change};
            my $outcome = outcome($make->(encode($root)));
            delete $node->{as};

            $count++;
            $granted++ if $outcome eq 'granted';

            next if $outcome =~ /^(?:granted|200\ .*|400\ error\ .*)$/x;
            $bad{$outcome} = sprintf 'tag %02x %s', $node->{tag}, $change;
        }
    }

    is_deeply(\%bad, {}, "$name: $count changes") or diag(explain(\%bad));
    cmp_ok(cpu() - $before, '<', 0.05 * $count + 1, "$name: CPU");

    return $granted;
}

sub explain {
    my $bad = shift;

    return map { "$_: $bad->{$_}\n" } sort keys %$bad;
}

run_tests();

__DATA__

=== the message that the others are made of is a good one
--- test
is(outcome(sealed(header(), ir(certreq()))), 'granted', 'ir');
--- sql
SELECT count(*) FROM cmp.certificate
--- sql_out
1



=== the envelope
--- test
my ($header, $body) = (header(), ir(certreq()));
my $message = sealed($header, $body);

refused('nothing', '', '400 error badDataFormat');
refused('one octet', "\x30", '400 error badDataFormat');
refused('an empty SEQUENCE', seq(), '400 error badDataFormat');
refused('four empty SEQUENCEs', seq(map { seq() } 1 .. 4),
        '400 error badDataFormat');
refused('an empty header', seq(seq(), $body), '400 error badDataFormat');
refused('an empty body', sealed($header, der(0xa0)),
        '200 error badDataFormat');
refused('an octet behind it', "$message\0", '200 error badDataFormat');
refused('an octet missing', substr($message, 0, -1),
        '400 error badDataFormat');
refused('twice', $message x 2, '200 error badDataFormat');
refused('a part too many', sealed($header, $body, map { der(0xa1, seq()) }
                                  1 .. 2), '400 error badDataFormat');
refused('200 000 octets of 0', "\0" x 200000, '400 error badDataFormat');
refused('200 000 octets of 0x30', "\x30" x 200000,
        '400 error badDataFormat');
refused('100 000 SEQUENCEs without a length', "\x30\x80" x 100000,
        '400 error badDataFormat');
refused('100 000 SEQUENCEs', seq("\x30\x00" x 100000),
        '400 error badDataFormat');
refused('a megabyte', seq("\x30\x00" x 500000), '413');
--- sql
SELECT count(*) FROM cmp.certificate
--- sql_out
1



=== too many
--- test
my $request = certreq();

refused('17 requests', sealed(header(), ir($request x 17)),
        '200 error badRequest');
refused('1000 requests', sealed(header(), ir($request x 1000)),
        '200 error badDataFormat');
refused('ten thousand empty requests', sealed(header(),
        ir(seq() x 10000)), '200 error badDataFormat');
refused('ten thousand small requests', sealed(header(), ir(
        seq(seq(main::int(0), seq())) x 10000)), '400 error badDataFormat');
refused('no request', sealed(header(), ir()), '200 error badDataFormat');
refused('the same certReqId twice', sealed(header(), ir($request x 2)),
        '200 error badRequest');
refused('1000 extraCerts', sealed(header(), ir($request), der(0xa1,
        seq(map { seq(seq(), seq(), der(0x03, "\0")) } 1 .. 1000))),
        '200 error badDataFormat');
refused('no extraCerts', sealed(header(), ir($request), der(0xa1, seq())),
        '200 error badDataFormat');
refused('1000 generalInfo', sealed(header(more => der(0xa8, seq(
        seq(oid('2a0304'), der(5)) x 1000))), ir($request)),
        '200 error badDataFormat');
refused('1000 freeText', sealed(header(more => der(0xa7, seq(utf8('x')
        x 1000))), ir($request)), '200 error badDataFormat');
refused('5000 attributes in a name', sealed(header(), ir(certreq(
        subject => seq(set(seq(oid('550403'), utf8('x'))) x 4000)))),
        '200 ip badCertTemplate');
refused('1000 extensions', sealed(header(), ir(certreq(after => extensions(
        extension('551d0f', der(0x03, "\7\x80")) x 1000)))),
        '200 ip badCertTemplate');
refused('1000 names in a subjectAltName', sealed(header(), ir(certreq(
        after => extensions(extension('551d11', seq(der(0x82, 'a.example')
        x 1000)))))), '200 ip badCertTemplate');
refused('1000 controls', sealed(header(), ir(certreq(controls => seq(
        seq(oid('2b0601050507050101'), utf8('x')) x 1000)))),
        '200 ip badRequest');
--- sql
SELECT count(*) FROM cmp.certificate
--- sql_out
1



=== too deep
--- test
my $request = certreq();

refused('a SEQUENCE', deep(20000), '400 error badDataFormat');
refused('a body', sealed(header(), der(0xa0, deep(1000))),
        '400 error badDataFormat');
refused('a name', sealed(header(sender => deep(1000)), ir($request)),
        '400 error badDataFormat');
refused('an extension', sealed(header(), ir(certreq(after => extensions(
        extension('551d11', deep(5000)))))), '200 ip badCertTemplate');
refused('generalInfo', sealed(header(more => der(0xa8, seq(seq(
        oid('2a0304'), deep(100))))), ir($request)),
        '400 error badDataFormat');

my $message = sealed(header(transaction => 'nested-transact1'),
                     ir($request));

for my $depth (1 .. 3) {
    $message = sealed(header(transaction => 'nested-transact1'),
                      der(0xb4, seq($message)));
    refused("nested $depth times", $message,
            '200 error wrongIntegrity');
}

$message = sealed(header(), ir($request));
$message = sealed(header(), der(0xb4, seq($message))) for 1 .. 40;
refused('nested 40 times', $message, '400 error badDataFormat');

$message = sealed(header(), der(0xb4, seq(sealed(header(), ir($request))
                                          x 300)));
refused('300 messages in one', $message, '200 error badDataFormat');

# each level has four messages of the next one

$message = sealed(header(), der(0xb3, der(5)));
$message = sealed(header(), der(0xb4, seq($message x 4))) for 1 .. 4;
refused('a tree of messages', $message, '200 error wrongIntegrity');

# as many as are read at all, with and without a signature of somebody

my @genm = map { sealed(header(), der(0xb5, seq())) } 1 .. 256;
my @batches = map { sealed(header(), der(0xb4, seq(splice @genm, 0, 16))) }
                  1 .. 16;

refused('256 messages in a tree', sealed(header(), der(0xb4,
        seq(@batches))), '200 error badDataFormat');
refused('256 messages, a wrong MAC', sealed(header(ref => 'nobody'),
        der(0xb4, seq(@batches))), '200 error badDataFormat');
--- sql
SELECT count(*) FROM cmp.certificate
--- sql_out
1



=== costly
--- test
my $request = certreq();
my $huge = '200 error badRequest';

for my $n ("\x00", "\x63", "\x01\x86\xa1", "\x7f\xff\xff\xff",
           "\x00\xff\xff\xff\xff", "\x7f" . "\xff" x 7, "\x7f" x 500,
           "\xff", "\x80" . "\0" x 8)
{
    refused('iterations ' . substr(unpack('H*', $n), 0, 20), sealed(
            header(alg => pbm_alg(iterations => \$n)), ir($request)), $huge);
}

for my $salt ('', 'x' x 7, 'x' x 129, 'x' x 100000) {
    refused('a salt of ' . length($salt), sealed(header(
            alg => pbm_alg(salt => $salt)), ir($request)), $huge);
}

# PBKDF2 in PBMAC1: iterations, length of the key

for my $case (["\x7f\xff\xff\xff", "\x20"], ["\x64", "\x7f\xff\xff\xff"],
              ["\x7f" x 100, "\x20"], ["\x64", "\x00"])
{
    my $alg = seq(oid('2a864886f70d01050e'), seq(seq(oid(
        '2a864886f70d01050c'), seq(octets('saltsaltsaltsalt'),
        main::int(\$case->[0]), main::int(\$case->[1]),
        seq(oid('2a864886f70d0209'), der(5)))),
        seq(oid('2a864886f70d0209'), der(5))));

    refused('PBMAC1 ' . substr(unpack('H*', join '-', @$case), 0, 20),
            sealed(header(alg => $alg), ir($request)), $huge);
}
--- sql
SELECT count(*) FROM cmp.certificate
--- sql_out
1



=== numbers
--- test
for my $n ("\0", "\1", "\4", "\xff", "\x7f\xff\xff\xff", "\x7f" x 1000) {
    refused('pvno ' . substr(unpack('H*', $n), 0, 20), sealed(header(
            pvno => \$n), ir(certreq())), '200 error unsupportedVersion');
}

for my $id ("\x7f" x 1000, "\x80" . "\0" x 7, "\x7f" . "\xff" x 8) {
    refused('certReqId ' . substr(unpack('H*', $id), 0, 20), sealed(header(),
            ir(certreq(id => \$id))), '200 ip badRequest');
}

refused('serialNumber', sealed(header(), ir(certreq(before => der(0x81,
        "\x7f" x 10000)))), '200 ip badCertTemplate');
refused('version', sealed(header(), ir(certreq(before => der(0x80,
        "\x7f" x 1000)))), '200 ip badCertTemplate');
--- sql
SELECT count(*) FROM cmp.certificate
--- sql_out
1



=== bodies that are none
--- test
my %outcomes;

for my $n (0 .. 30) {
    for my $content ('', seq(), seq(seq()), seq(seq() x 3), der(5),
                     main::int(0), octets('x'), deep(18), utf8("\xff"),
                     seq(seq(main::int(0), seq(), seq()), der(0x80)),
                     der(0x1f, ''), "\x30\x05")
    {
        my $outcome = outcome(sealed(header(), der(0xa0 | $n, $content)));

        $outcomes{$outcome} = "body $n, " . unpack 'H*', $content
            if $outcome !~ /^(?:200|400)\ (?:error|ip|cp|kup|rp)/x;
    }
}

# an empty genm asks for all there is; announcements are not for a CA

delete @outcomes{'200 genp', 'status 403'};
is_deeply(\%outcomes, {}, 'refused') or diag(explain(\%outcomes));
--- sql
SELECT count(*) FROM cmp.certificate
--- sql_out
1



=== strings and times
--- test
refused('a CN of 200 000 octets', sealed(header(), ir(certreq(
        subject => name('x' x 200000)))), '200 ip badCertTemplate');
refused('a CN of a megabyte', sealed(header(), ir(certreq(
        subject => name('x' x 1000000)))), '413');
refused('a senderKID of 100 000 octets', sealed(header(ref => 'x' x 100000),
        ir(certreq())), '200 error badMessageCheck');
refused('a CN with NUL', sealed(header(), ir(certreq(
        subject => name("a\0b")))), '200 ip badCertTemplate');
refused('a CN that is no UTF-8', sealed(header(), ir(certreq(
        subject => name("\xff\xfe")))), '200 error badDataFormat');
refused('an empty CN', sealed(header(), ir(certreq(
        subject => name('')))), '200 ip badCertTemplate');

# OpenSSL 3.1 and later do not decode it

like(outcome(sealed(header(time => ''), ir(certreq()))),
     qr/^(?:200|400) error badDataFormat$/, "messageTime ''");

for my $time ('20261301000000Z', '99991231235960Z', 'x' x 15,
              '20260101000000+9999')
{
    refused("messageTime '$time'", sealed(header(time => $time),
            ir(certreq())), '200 error badDataFormat');
}
--- sql
SELECT count(*) FROM cmp.certificate
--- sql_out
1



=== every element of the header, changed in every way
--- test
my $before = certificates();
my $body = ir(certreq());
my $header = header(transaction => 'transaction-id--',
    nonce => 'sender-nonce----', more => der(0xa7, seq(utf8('text')))
    . der(0xa8, seq(seq(oid('2a0304'), der(5)))));

my $granted = mutate('header', $header, sub {
    my $bytes = shift;
    my ($id, $nonce) = (fresh(), fresh());

    $bytes =~ s/transaction-id--/$id/;
    $bytes =~ s/sender-nonce----/$nonce/;

    return sealed($bytes, $body);
});

cmp_ok($granted, '>', 10, 'some do not matter');
is(certificates() - $before, $granted, 'certificates in the store');



=== every element of a request
--- test
my $before = certificates();
my $request = ir(certreq(after => extensions(
    extension('551d0f', der(0x03, "\7\x80"))
    . extension('551d11', seq(der(0x82, 'a.example')))),
    controls => seq(seq(oid('2b0601050507050101'), utf8('token'))),
    info => seq(seq(oid('2b0601050507050201'), utf8('a?b%')))));

my $granted = mutate('ir', $request, sub { sealed(header(), shift) });

is(certificates() - $before, $granted, 'certificates in the store');



=== every element of other bodies
--- test
my $before = certificates();
my $template = seq(der(0x81, "\1\2\3"), der(0xa3, name('CA')));
my $csr = seq(seq(main::int(0), name('hostile'), $spki, der(0xa0)),
              seq(oid('2a8648ce3d040302')), der(0x03, "\0signature"));
my %bodies = (
    p10cr => der(0xa4, $csr),
    rr => der(0xab, seq(seq($template, der(0x30, extension('551d15',
        der(0x0a, "\1")), extension('551d18', date($now)))))),
    genm => der(0xb5, seq(seq(oid('2b0601050507040e'), seq(der(0xa0, seq(
        der(0xa0, der(0xa0, der(0x86, 'http://pki.example/crl'))))))),
        seq(oid('2b0601050507040f'), utf8('x')))),
    certConf => der(0xb8, seq(seq(octets('x' x 32), main::int(0),
        seq(main::int(0), seq(utf8('text')), der(0x03, "\0\x80")),
        der(0xa0, $sha256)))),
    pollReq => der(0xb9, seq(seq(main::int(0)))),
    error => der(0xb7, seq(seq(main::int(2), seq(utf8('text')),
        der(0x03, "\0\x80")), main::int(1), seq(utf8('details')))),
    nested => der(0xb4, seq(sealed(header(), der(0xb3, der(5))))),
);

for my $name (sort keys %bodies) {
    is(mutate($name, $bodies{$name}, sub { sealed(header(), shift) }), 0,
       "$name: none granted");
}

is(certificates(), $before, 'certificates in the store');
is(outcome(sealed(header(), ir(certreq()))), 'granted', 'still there');



=== public keys
--- test
my $p256 = oid('2a8648ce3d030107');
my %keys = (
    'RSA, n of 40 000 bits' => rsa("\x7f" x 5000, "\1\0\1"),
    'RSA, n and e of 16 000 bits' => rsa("\x7f" x 2000, "\x7f" x 2000),
    'RSA, n of a million bits' => rsa("\x7f" x 125000, "\x7f" x 50000),
    'RSA, n and e are 0' => rsa("\0", "\0"),
    'RSA, n is 1' => rsa("\1", "\1"),
    'RSA, n is negative' => rsa("\x80" x 256, "\1\0\1"),
    'RSA, n is even' => rsa("\x7f" x 255 . "\x7e", "\1\0\1"),
    'RSA, e is even' => rsa("\x7f" x 256, "\1\0\0"),
    'RSA, empty' => seq(seq(oid('2a864886f70d010101'), der(0x05)),
                        der(0x03, "\0" . seq())),
    'EC, not on the curve' => ec($p256, "\4" . "\1" x 64),
    'EC, infinity' => ec($p256, "\0"),
    'EC, no point' => ec($p256, ''),
    'EC, a long point' => ec($p256, "\4" . "\1" x 100000),
    'EC, compressed' => ec($p256, "\2" . "\xff" x 32),
    'EC, hybrid' => ec($p256, "\7" . "\1" x 64),
    'EC, unknown curve' => ec(oid('2a0304'), "\4" . "\1" x 64),
    'EC, implicit curve' => ec(der(5), "\4" . "\1" x 64),
    'EC, a prime of its own' => ec(curve("\x7f" . "\xff" x 31), "\2" .
                                   "\1" x 32),
    'EC, a product' => ec(curve("\x02\xb9"), "\2" . "\1" x 32),
    'EC, a prime of 40 000 bits' => ec(curve("\x7f" x 5000), "\2" .
                                       "\1" x 5000),
    'Ed25519, empty' => seq(seq(oid('2b6570')), der(0x03, "\0")),
    'Ed25519, long' => seq(seq(oid('2b6570')), der(0x03, "\0" . 'x' x 9999)),
    'DSA' => seq(seq(oid('2a8648ce380401'), seq(map { main::int(
                 \("\x7f" x 5000)) } 1 .. 3)), der(0x03, "\0"
                 . main::int(\("\x7f" x 5000)))),
    'DH' => seq(seq(oid('2a864886f70d010301'), seq(map { main::int(
                \("\x7f" x 5000)) } 1 .. 2)), der(0x03, "\0"
                . main::int(\("\x7f" x 5000)))),
    'unknown' => seq(seq(oid('2a0304')), der(0x03, "\0")),
    'none' => seq(seq(oid('2a0304')), der(0x03, '')),
);

for my $name (sort keys %keys) {
    like(outcome(sealed(header(), ir(certreq(key => $keys{$name})))),
         qr/^200\ (?:ip|error)\ (?:badCertTemplate|badDataFormat|badPOP
                                |badAlg)$/x, $name);
}



=== every element of the protecting certificate, and of its issuer
--- http_config eval: $main::trusting
--- test
my $before = certificates();
my $cert = certificate("$main::vendor/vendor-device.pem");
my $root = certificate("$main::vendor/vendor-root.pem");
my ($subject) = $cert =~ /(\x31\x0f.{9}Vendor\x31\x0f.{9}device.{11}4711)/s;
my ($kid) = $cert =~ /\x55\x1d\x0e\x04\x16\x04\x14(.{20})/s;
my $body = ir(certreq());

our $header = header(alg => seq(oid('2a8648ce3d040302')), ref => $kid,
                     sender => seq($subject));
our $signature = der(0xa0, der(0x03, "\0" . signature(protected_part(
    "$header$body"), "$main::vendor/vendor-device.key")));

sub signed { return seq($header, $body, $signature, der(0xa1, seq(@_))) }

refused('as it is', signed($cert, $root), '200 ip notAuthorized');
refused('another time', signed($cert, $cert, $root),
        '200 error transactionIdInUse');

# the signature does not cover extraCerts: each can be another one

is(mutate('certificate', $cert, sub { signed(shift, $root) }), 0, 'refused');
is(mutate('issuer', $root, sub { signed($cert, shift) }), 0, 'refused');

# who has issued this?

my @loop = map { $root } 1 .. 15;

s/\x02\x14(.{19})./"\x02\x14$1" . pack 'C', rand 256/se for @loop;
refused('15 issuers', signed($cert =~ s/.\z/\0/sr, @loop),
        '200 error signerNotTrusted');
is(certificates(), $before, 'nothing in the store');
