# Copyright (C) ngx_http_cmp_module contributors
#
# What the variables say of an exchange, and what is in the error log when
# something was refused; nothing that a client sends gets into a log unescaped.

use lib 't/lib';
use CMPTest;
use CMPRaw;

credential(reference => 'device1', secret => 'insecure');
credential(reference => 'named', secret => 'insecure', subject => 'CN=a');

our @names = qw(ca profile operation transaction_id sender status fail_info
                serial);

my $all = 'HTTP=$status ' . join ' ', map { "$_=\$cmp_$_" } @names;

our $http = default_http_config(
    ca => 'profile second;',
    http => "cmp_profile second { validity 1d; key ec:P-256; }\n"
            . "log_format cmp '$all';\n"
            . "access_log logs/cmp.log cmp;\n");

# the lines that were logged since the last call, each one as a hash

our $seen = '';

sub lines {
    my $n = shift;
    my $file = "$ENV{TEST_NGINX_SERVROOT}/logs/cmp.log";
    my @lines;

    wait_for(sub {
        @lines = split /\n/, substr CMPTest::slurp($file), length $seen;
        return @lines >= $n;
    }, 5);

    $seen = CMPTest::slurp($file);

    return map { my %h = /(\S+?)=(.*?)(?= \S+=|$)/g; \%h } @lines;
}

# what is refused, and how often that was logged

sub refusals {
    return grep { /refused/ } split /\n/, error_log();
}

run_tests();

__DATA__

=== ir and certConf, then an update, a revocation
--- http_config eval: $main::http
--- test
$main::seen = '';

my @common = (-trusted => pki('root.pem'));
my ($status, $out) = client('ir', '-ref', 'device1', '-secret',
    'pass:insecure', '-subject', '/CN=vars', '-newkey', newkey(), '-certout',
    tmp('vars.pem'));
is($status, 0, 'ir') or diag($out);

my ($ir, $conf) = lines(2);
my $serial = sql("SELECT encode(serial, 'hex') FROM cmp.certificate");

is($ir->{HTTP}, 200, 'ir: status of HTTP');
is($ir->{ca}, 'devices', 'ir: CA');
is($ir->{profile}, 'device', 'ir: profile');
is($ir->{operation}, 'ir', 'ir: operation');
like($ir->{transaction_id}, qr/^[0-9a-f]{32}$/, 'ir: transaction');
is($ir->{status}, 'accepted', 'ir: status');
is($ir->{fail_info}, '-', 'ir: failInfo');
is($ir->{serial}, $serial, 'ir: serial number');

is($conf->{operation}, 'certConf', 'certConf: operation');
is($conf->{transaction_id}, $ir->{transaction_id}, 'certConf: transaction');
is($conf->{serial}, $serial, 'certConf: serial number');
is($conf->{fail_info}, '-', 'certConf: failInfo');

my $key = newkey();

($status, $out) = client('kur', '-cert', tmp('vars.pem'), '-key',
    tmp('key-1.pem'), '-newkey', $key, '-certout', tmp('new.pem'),
    '-implicit_confirm');
is($status, 0, 'kur') or diag($out);

my ($kur) = lines(1);

is($kur->{operation}, 'kur', 'kur: operation');
is($kur->{sender}, 'CN=vars', 'kur: sender');
isnt($kur->{serial}, $serial, 'kur: a new serial number');
is($kur->{serial}, sql("SELECT encode(serial, 'hex') FROM cmp.certificate
                        ORDER BY serial DESC LIMIT 1"), 'kur: serial number');

($status, $out) = client('rr', '-cert', tmp('new.pem'), '-key', $key,
    '-oldcert', tmp('new.pem'), '-revreason', 1);
is($status, 0, 'rr') or diag($out);

my ($rr) = lines(1);

is($rr->{operation}, 'rr', 'rr: operation');
is($rr->{serial}, $kur->{serial}, 'rr: serial number');
is($rr->{status}, 'accepted', 'rr: status');



=== refused, in the body of the answer and by an error
--- http_config eval: $main::http
--- test
$main::seen = '';

for my $case (['named', 'insecure', 'notAuthorized', 'info'],
              ['device1', 'wrong', 'badMessageCheck', 'warn'],
              ['nobody', 'wrong', 'badMessageCheck', 'warn'])
{
    my ($reference, $secret, $fail, $level) = @$case;
    my $before = refusals();
    my $message = message('ir', '-ref', $reference, '-secret', "pass:$secret",
        '-subject', '/CN=b', '-newkey', newkey());
    my $id = unpack 'H*', header_field($message, 4);

    post('/pkix/', $message);

    my ($line) = lines(1);
    my @found = refusals();

    is($line->{HTTP}, 200, "$reference: status of HTTP");
    is($line->{status}, 'rejection', "$reference: status");
    is($line->{fail_info}, $fail, "$reference: failInfo");
    is($line->{transaction_id}, $id, "$reference: transaction");
    is($line->{serial}, '-', "$reference: serial number");

    is(scalar @found, $before + 1, "$reference: one line in the error log");

    my $text = $found[-1];

    like($text, qr/ \[$level\] /, "$reference: level");
    like($text, qr/cmp_ca "devices": ir refused, $fail: /, "$reference: why");
    like($text, qr/transaction "$id"/, "$reference: transaction");
    like($text, qr/, client: 127\.0\.0\.1, server: /, "$reference: client");
}



=== what could not be decoded
--- http_config eval: $main::http
--- test
$main::seen = '';
post('/pkix/', 'junk');

my ($line) = lines(1);

is($line->{HTTP}, 400, 'status of HTTP');
is($line->{ca}, 'devices', 'CA');
is($line->{$_}, '-', $_) for qw(profile operation transaction_id sender serial);
is($line->{fail_info}, 'badDataFormat', 'failInfo');

my @found = refusals();

is(scalar @found, 1, 'one line');
like($found[0], qr/ \[info\] .* badDataFormat: .*, client: 127/, 'which one');



=== what never was a message, and other locations
--- http_config eval: $main::http
--- config
location /pkix/ { cmp_pass devices; }
location = /crl { cmp_crl devices; }
location /else  { return 204; }
--- test
$main::seen = '';

http('GET', '/pkix/');
post('/pkix/x', '');
post('/pkix/', '', 'Content-Type' => 'text/plain');
http('GET', '/crl');
http('GET', '/else');

my @lines = lines(5);
my @rest = grep { $_ ne 'ca' } @names;

is(join(' ', map { $_->{HTTP} } @lines), '405 404 415 200 204', 'five lines');
is(join(' ', map { $_->{ca} } @lines), 'devices devices devices devices -',
   'CA');

for my $line (@lines) {
    is(join(' ', map { $line->{$_} } @rest), '- - - - - - -', 'the rest');
}



=== the profile
--- http_config eval: $main::http
--- test
$main::seen = '';
credential(reference => 'second', secret => 'insecure', profile => 'second');

post('/pkix/p/second', message('ir', '-ref', 'second', '-secret',
    'pass:insecure', '-subject', '/CN=second', '-newkey', newkey()));

my ($line) = lines(1);

is($line->{status}, 'accepted', 'status');
is($line->{profile}, 'second', 'profile');



=== grantedWithMods
--- http_config eval
my $text = $main::http;
$text =~ s/cmp_profile device \{/cmp_profile device { drop_extensions on;/;
$text
--- test
$main::seen = '';

post('/pkix/', message('ir', '-ref', 'device1', '-secret', 'pass:insecure',
    '-subject', '/CN=mods', '-newkey', newkey(), '-sans', 'a.example'));

my ($line) = lines(1);

is($line->{status}, 'grantedWithMods', 'status');
is($line->{fail_info}, '-', 'failInfo');



=== in maps, conditions and headers
--- http_config eval
main::default_http_config(http => <<'_EOC_')
map $cmp_fail_info $refused { default 1; "" 0; }
map "$cmp_operation $cmp_status" $kind { default no; "ir accepted" yes; }
log_format short '$cmp_operation $cmp_fail_info $early $kind';
access_log logs/refused.log short if=$refused;
access_log logs/all.log short;
add_header X-Operation $cmp_operation always;
add_header X-Fail $cmp_fail_info always;
_EOC_
--- config
set $early "-$cmp_operation$cmp_ca$cmp_serial$cmp_sender-";
location /pkix/ {
    if ($cmp_operation) { return 500; }
    cmp_pass devices;
}
--- test
my $dir = "$ENV{TEST_NGINX_SERVROOT}/logs";
my $r = post('/pkix/', message('ir', '-ref', 'device1', '-secret',
    'pass:insecure', '-subject', '/CN=maps', '-newkey', newkey()));

is($r->{headers}{'x-operation'}, 'ir', 'a header');
ok(!exists $r->{headers}{'x-fail'}, 'none, as it is empty');

$r = post('/pkix/', message('ir', '-ref', 'device1', '-secret',
    'pass:wrong', '-subject', '/CN=maps', '-newkey', newkey()));
is($r->{headers}{'x-fail'}, 'badMessageCheck', 'a header');

ok(wait_for(sub { CMPTest::slurp("$dir/all.log") =~ /\n.*\n/ }, 5), 'logged');
is(CMPTest::slurp("$dir/all.log"), "ir - -- yes\nir badMessageCheck -- no\n",
   'all');
is(CMPTest::slurp("$dir/refused.log"), "ir badMessageCheck -- no\n",
   'if it was refused');



=== hostile names
--- http_config eval: $main::http
--- test
$main::seen = '';

my $mac = CMPRaw::decode(message('ir', '-ref', 'device1', '-secret',
                                 'pass:wrong', '-subject', '/CN=x',
                                 '-newkey', newkey()))->[0][1];
my ($header, $body) = @{CMPRaw::decode($mac)};
my $der_body = der($body->[0], $body->[1]);

sub name {
    my ($tag, $value) = @_;

    return der(0xa4, der(0x30, der(0x31, der(0x30, der(6, "\x55\x04\x03"),
                                            der($tag, $value)))));
}

my $evil = "a\n2026/01/01 00:00:00 [error] 1#1: fake\r\n\e[31m\"'\\\0\x7f\xff";
my @senders = (
    name(0x0c, $evil), name(0x13, $evil), name(0x16, $evil),
    name(0x14, $evil), name(0x1e, join '', map { "\0$_" } split //, $evil),
    name(0x0c, 'x' x 5000), name(0x0c, "\n" x 5000), name(0x0c, ''),
    der(0xa4, der(0x30)), der(0x81, $evil), der(0x86, $evil),
    der(0x82, $evil), der(0x87, "\x7f\0\0\1"), der(0x88, "\x2a\x03"),
    der(0xa4, der(0x30, map { der(0x31, der(0x30, der(6, "\x55\x04\x03"),
                                           der(0x0c, $evil))) } 1 .. 60)),
);
my $id = der(0xa4, der(4, "ab\n\"\\\0\e[012345678"));

for my $n (0 .. $#senders) {
    my @fields = @{CMPRaw::decode($header->[1])};
    my $text = join '', map { $_->[0] == 0xa4 ? $id : der(@$_) }
                        grep { $_->[0] > 0xa0 } @fields[3 .. $#fields];
    my $r = post('/pkix/', der(0x30, der(0x30, der(2, "\2"), $senders[$n],
                 der(0xa4, der(0x30)), $text), $der_body));

    ok($r->{status} == 200 || $r->{status} == 400, "sender $n: an answer");
    is(body($r->{body}), 23, "sender $n: error");
}

my @lines = lines(scalar @senders);

is(scalar @lines, scalar @senders, 'one line each in the access log');
is(scalar refusals(), scalar @senders, 'one line each in the error log');

for my $log (error_log(), CMPTest::slurp(
                 "$ENV{TEST_NGINX_SERVROOT}/logs/cmp.log"))
{
    unlike($log, qr/^2026\/01\/01/m, 'no line was faked');
    unlike($log, qr/[\0-\x08\x0b-\x1f\x7f-\xff]/, 'nothing unprintable');
}

my ($longest) = sort { $b <=> $a } map { length } refusals();

cmp_ok($longest, '<', 2000, 'lines are not endless');

like(join('', refusals()), qr{a\\x5C0A2026.*\[error\] 1#1: fake\\x5C0D},
     'as hexadecimal');
--- log_level: info



=== the database's fault is an error of ours
--- http_config eval: $main::http
--- test
$main::seen = '';
sql('ALTER TABLE cmp.credential RENAME TO gone');

my $r = post('/pkix/', message('ir', '-ref', 'device1', '-secret',
    'pass:insecure', '-subject', '/CN=db', '-newkey', newkey()));

sql('ALTER TABLE cmp.gone RENAME TO credential');

cmp_ok_answer($r, 23, 'an error');
is(status($r->{body})->[2], 24, 'systemUnavail');

my ($line) = lines(1);

is($line->{fail_info}, 'systemUnavail', 'failInfo');
is($line->{operation}, 'ir', 'operation');

my @found = grep { /\[error\].*cmp_ca "devices"/ } split /\n/, error_log();

is(scalar @found, 1, 'one line');
like($found[0], qr/load failed: .*SQLSTATE 42P01.*, client: 127/, 'which one');



=== the credential works again
--- test
my ($status, $out) = client('ir', '-ref', 'device1', '-secret',
    'pass:insecure', '-subject', '/CN=again', '-newkey', newkey(), '-certout',
    tmp('again.pem'));
is($status, 0, 'ir') or diag($out);
