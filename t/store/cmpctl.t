#!/usr/bin/perl

# Copyright (C) ngx_http_cmp_module contributors
#
# The operator's command.

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use CMPStore;
use JSON::PP ();
use Test::More;

make_programs();

my ($status, $out, $err);


sub run_ok {
    my $what = shift;

    ($status, $out, $err) = cmpctl(@_);
    is($status, 0, $what) or diag($out, $err);
}


sub run_not {
    my ($what, $code, $text, @args) = @_;

    ($status, $out, $err) = cmpctl(@args);
    is($status, $code, $what);
    like($err, $text, "$what: says why");
    is($out, '', "$what: prints nothing else");
}


# usage

run_ok('--help', '--help');
like($out, qr/usage: cmpctl .*credential add/s, 'the help names commands');
run_ok('--help of a command', 'credential', 'add', '--help');
run_not('no command', 2, qr/command is missing/);
run_not('an unknown command', 2, qr/no command "frob nicate"/, 'frob',
        'nicate');
run_not('an unknown option', 2, qr/unknown option: frob/, 'ca', 'list',
        '--frob');
run_not('an abbreviated option', 2, qr/unknown option: lim/, 'audit', 'list',
        '--lim', 3);
run_not('a value is missing', 2, qr/requires an argument/, 'audit', 'list',
        '--ca');
run_not('an argument too many', 2, qr/unexpected "x"/, 'ca', 'list', 'x');
run_not('no serial number', 2, qr/argument is missing/, 'certificate',
        'show');

# init

database();

run_ok('init again', 'init');
like($out, qr/up to date/, 'says so');
run_ok('migrate', 'migrate');

run_ok('init for another role', 'init', '--server-user',
       'cmp test "server"');
is(value("SELECT pg_has_role('cmp test \"server\"', 'cmp_server', 'MEMBER')"),
   't', 'which may do what cmp_server does');
value('DROP ROLE "cmp test ""server"""');

value('INSERT INTO cmp.schema_version VALUES (9)');
run_not('a schema of the future', 1, qr/has version 9, this cmpctl knows/,
        'migrate');
value('DELETE FROM cmp.schema_version WHERE version = 9');

{
    local $ENV{CMPCTL_SQL} = tmp();

    run_not('no SQL files', 1, qr/SQL files are not found/, 'init');
}

run_not('no database', 3, qr/database "nowhere" does not exist/, '--dsn',
        admin() . ' dbname=nowhere', 'ca', 'list');

# credentials

my $key = tmp('key');

open my $fh, '>', $key or die;
print $fh '30313233343536373839616263646566' x 2, "\n";
close $fh;
chmod 0600, $key;

my @add = ('--key-file', $key, 'credential', 'add', '--ca', 'devices');

run_ok('a generated secret', @add, '--reference', 'device1');
like($out, qr/^[A-Za-z0-9_-]{32}\n$/, 'is printed once');
like($err, qr/no server has registered a CA "devices" yet/,
     'a CA that nobody knows is pointed out');
is(value("SELECT octet_length(secret) FROM cmp.credential"), 32 + 29,
   'sealed');

run_not('the same reference', 1, qr/has a credential "device1" already/, @add,
        '--reference', 'device1');

my $evil = q(it's "$(id)" \\; DROP TABLE cmp.ca; --);

input("insecure\n");
run_ok('a secret from standard input', @add, '--reference', $evil,
       '--secret-stdin', '--profile', 'a', '--profile', 'b,c', '--subject',
       'CN=dev-*,O=Example', '--san', 'dns:*.example', '--uses', 5,
       '--expires', '7d', '--may-revoke');
is($out, '', 'is not printed');
is(value("SELECT octet_length(secret) FROM cmp.credential"
         . " WHERE uses_left = 5"), 8 + 29, 'sealed without the end of line');

run_ok('credential list', 'credential', 'list', '--json');
my $list = JSON::PP::decode_json($out);
is(scalar @$list, 2, 'lists both');
my ($c) = grep { $_->{reference} eq $evil } @$list;
is_deeply($c->{profiles}, ['a', 'b,c'], 'profiles');
is($c->{subject}, 'CN=dev-*,O=Example', 'subject');
is_deeply($c->{sans}, ['dns:*.example'], 'SANs');
is($c->{uses_left}, 5, 'uses');
is($c->{state}, 'active', 'state');
ok($c->{may_revoke}, 'may revoke');
ok(!exists $c->{secret}, 'no secret');
is(value("SELECT round(extract(epoch FROM not_after - now()) / 3600)"
         . " FROM cmp.credential WHERE uses_left = 5"), 7 * 24, 'expires');

run_ok('with a pattern', 'credential', 'list', '--reference', 'dev*', '--json');
is(scalar @{JSON::PP::decode_json($out)}, 1, 'lists one');

# a registration token

run_not('a token with uses', 2, qr/one request/, 'credential', 'add', '--ca',
        'devices', '--reference', 'T1', '--token', '--uses', 2);
run_not('a token with a wrong pattern', 1, qr/not of the form/, 'credential',
        'add', '--ca', 'devices', '--reference', 'T1', '--token', '--subject',
        'x');
run_ok('credential add --token', 'credential', 'add', '--ca', 'devices',
       '--reference', 'T1', '--token', '--subject', 'CN=x');
chomp(my $token = $out);
like($token, qr/^[\w-]{32}$/, 'prints it');
is(value("SELECT token_hash = sha256('$token') AND secret IS NULL"
         . " FROM cmp.credential WHERE reference = 'T1'"), 't', 'its hash');
run_ok('list', 'credential', 'list', '--reference', 'T1', '--json');
is(JSON::PP::decode_json($out)->[0]{kind}, 'token', 'kind');
unlike($out, qr/\Q$token\E/, 'no token');
value("DELETE FROM cmp.credential WHERE reference = 'T1'");

run_ok('as a table', 'credential', 'list');
like($out, qr/^\s*ca\s*\|\s*reference\s*\|.*device1/s, 'with names');

run_ok('disable', 'credential', 'disable', '--ca', 'devices', '--reference',
       $evil);
run_ok('list', 'credential', 'list', '--reference', 'it*', '--json');
is(JSON::PP::decode_json($out)->[0]{state}, 'disabled', 'is disabled');
run_ok('enable', 'credential', 'enable', '--ca', 'devices', '--reference',
       $evil);
run_not('disable an unknown one', 1, qr/has no credential "nobody"/,
        'credential', 'disable', '--ca', 'devices', '--reference', 'nobody');
run_not('of an unknown CA', 1, qr/there is no CA "nobody"/, 'credential',
        'disable', '--ca', 'nobody', '--reference', 'device1');

input('other');
run_ok('replace', @add, '--reference-hex', unpack('H*', $evil), '--replace',
       '--secret-stdin');
is(value("SELECT octet_length(secret) || ' ' || uses_left"
         . " FROM cmp.credential ORDER BY id DESC LIMIT 1"), 5 + 29 . ' -1',
   'all of it is new');

run_ok('a reference that is no text', @add, '--reference-hex', 'ff00fe');
run_ok('list', 'credential', 'list', '--reference', '0x*', '--json');
is(JSON::PP::decode_json($out)->[0]{reference}, '0xff00fe', 'is shown');

run_not('no CA', 2, qr/--ca is missing/, 'credential', 'add', '--key-file',
        $key, '--reference', 'x');
run_not('no reference', 2, qr/--reference is missing/, @add);
run_not('no key file', 2, qr/--key-file is missing/, 'credential', 'add',
        '--ca', 'devices', '--reference', 'x');
run_not('a key file that is not there', 1, qr/nothing-here/, '--key-file',
        tmp('nothing-here'), 'credential', 'add', '--ca', 'devices',
        '--reference', 'x');
run_not('no use', 1, qr/uses must be at least 1/, @add, '--reference', 'x',
        '--uses', 0);
run_not('uses that are no number', 2, qr/"x" is not a number/, @add,
        '--reference', 'x', '--uses', 'x');
run_not('expired before it begins', 1, qr/would have expired already/, @add,
        '--reference', 'x', '--expires', '2020-01-01');
run_not('a time that is none', 1, qr/invalid input syntax .*"soon"/, @add,
        '--reference', 'x', '--expires', 'soon');

run_not('a subject pattern that is none', 1, qr/"dev-\*"/, @add,
        '--reference', 'x', '--subject', 'dev-*');
run_not('a SAN pattern that is none', 1, qr/kind of name "fax"/, @add, '--reference', 'x',
        '--san', 'fax:1');

input('');
run_not('an empty secret', 1, qr/secret is empty/, @add, '--reference', 'x',
        '--secret-stdin');
input('x' x 1025);
run_not('a long secret', 1, qr/longer than 1024 octets/, @add, '--reference',
        'x', '--secret-stdin');

# certificates, made by a hand-written commit

sub issue {
    my ($n, $subject, $days) = @_;

    my $serial = value("SELECT encode(cmp.serial_bound(now())"
        . " || substr(sha256('$n'), 1, 14), 'hex')");

    ($status, my $text) = sql(<<"END", server());
SELECT cmp.commit(1, NULL, NULL, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, 0, 0, NULL, NULL, 0, NULL,
    ARRAY['\\x$serial'::bytea], ARRAY['der $n'::bytea], ARRAY[0], ARRAY[1],
    ARRAY[sha256('$subject')], ARRAY['$subject'], ARRAY[sha256('key $n')],
    ARRAY['device'], ARRAY[NULL::bytea], ARRAY[0],
    ARRAY[now() - interval '40 days'],
    ARRAY[now() + interval '$days days'], ARRAY[1::int8], ARRAY[0], ARRAY[0],
    NULL, NULL, NULL, NULL, NULL, NULL,
    ARRAY['ir'], ARRAY[0], ARRAY[-1], ARRAY['\\x$serial'::bytea],
    ARRAY['accepted'], 'mac:device1', '192.0.2.7')
END
    is($status, 0, "certificate $n") or diag($text);

    return $serial;
}

my $first = issue(1, 'CN=dev_1,O=Example', 300);
my $second = issue(2, 'CN=dev-2,O=Example', 20);
my $third = issue(3, 'CN=gone,O=Example', -1);

sub listed {
    run_ok("certificate list @_", 'certificate', 'list', '--json', @_);

    return join ' ', map { $_->{serial} } @{JSON::PP::decode_json($out)};
}

is(listed(), join(' ', reverse sort $first, $second, $third),
   'the latest first');
is(listed('--subject', 'cn=dev_*'), $first, 'by subject, "_" is itself');
is(listed('--subject', 'CN=dev*', '--expires-before', '30d'), $second,
   'by subject and expiry');
is(listed('--state', 'expired'), $third, 'expired ones');
is(listed('--serial', uc $second), $second, 'by serial number');
is(listed('--serial', '00:' . join ':', $second =~ /../g), $second,
   'as openssl prints it');
is(listed('--ca', 'devices', '--profile', 'device', '--since', '1h',
          '--limit', 1), (reverse sort $first, $second, $third)[0], 'limited');
my @all = reverse sort $first, $second, $third;

is(listed('--limit', 1, '--after', $all[0]), $all[1], 'the next page');
is(listed('--after', $all[2]), '', 'behind the last one');

my $hash = value("SELECT encode(sha256('key 2'), 'hex')");

is(listed('--key-hash', $hash), $second, 'by the hash of its key');
is(JSON::PP::decode_json($out)->[0]{key_hash}, $hash, 'which is shown');
is(listed('--key-hash', uc $hash, '--serial', $first), '', 'of another one');
is(listed('--key-hash', '0' x 64), '', 'of no certificate');
run_not('a hash that is none', 1, qr/64 hex digits/, 'certificate', 'list',
        '--key-hash', "12'");
is(listed('--since', '2100-01-01'), '', 'none since then');
is(listed('--profile', 'other'), '', 'none of a profile');
run_not('a state that is none', 1, qr/"lost" is not a state/, 'certificate',
        'list', '--state', 'lost');

run_ok('show', 'certificate', 'show', $first);
like($out, qr/CN=dev_1,O=Example/, 'shows it');
run_ok('show --json', 'certificate', 'show', '--json', $first);
$c = JSON::PP::decode_json($out);
is($c->{reference}, 'device1', 'under which credential');
is($c->{state}, 'valid', 'state');
run_ok('show --pem', 'certificate', 'show', '--pem', $first);
is($out, "-----BEGIN CERTIFICATE-----\nZGVyIDE=\n-----END CERTIFICATE-----\n",
   'PEM');
run_not('show an unknown one', 1, qr/there is no certificate/, 'certificate',
        'show', '0102');
run_not('show what is no number', 1, qr/"x'y" is not a hexadecimal number/,
        'certificate', 'show', "x'y");

run_not('a reason that is none', 1, qr/"lost" is not a reason/,
        'certificate', 'revoke', '--reason', 'lost', $first);
run_ok('hold', 'certificate', 'hold', $second);
is(listed('--state', 'hold'), $second, 'is on hold');
run_ok('release', 'certificate', 'release', $second);
is(listed('--state', 'hold'), '', 'is released');
run_not('release again', 1, qr/the certificate is valid/, 'certificate',
        'release', $second);
run_ok('revoke', 'certificate', 'revoke', '--ca', 'devices', '--reason',
       'keycompromise', '--invalid-since', '2d', $first);
is(listed('--state', 'revoked'), $first, 'is revoked');
is(JSON::PP::decode_json($out)->[0]{reason}, 'keyCompromise', 'reason');
is(value("SELECT compromised FROM cmp.key WHERE serial = '\\x$first'"), 't',
   'the key is compromised');
run_not('revoke again', 1, qr/the certificate is revoked/, 'certificate',
        'revoke', $first);
run_not('several, one of them revoked', 1, qr/the certificate is revoked/,
        'certificate', 'revoke', $second, $first);
is(listed('--state', 'revoked'), $first, 'none was done');
run_ok('several', 'certificate', 'revoke', $second, $third);
is(listed('--state', 'revoked'), join(' ', reverse sort $first, $second,
                                      $third), 'all of them');
run_not('of another CA', 1, qr/there is no CA "other"/, 'certificate',
        'revoke', '--ca', 'other', $second);

# requests that wait, made by a hand-written commit

sub wait_for_operator {
    my ($n) = @_;

    ($status, my $text) = sql(<<"END", server());
SELECT cmp.commit(1, sha256('tx $n'), 0, 2, 0, 1, NULL, NULL, NULL, NULL, NULL,
    '\\x01', '\\x02', 0, 7200000, sha256('request $n'), 'reply', 300000, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    ARRAY['ir'], ARRAY[3], ARRAY[-1], ARRAY[NULL::bytea], ARRAY['waits'],
    'mac:device1', '192.0.2.7',
    p_approval => 60000, p_message => 'message', r_req_id => ARRAY[0],
    r_profile => ARRAY['device'], r_subject => ARRAY['CN=wait-$n'::bytea],
    r_sans => ARRAY['DNS:a.example'::bytea],
    r_key_hash => ARRAY[sha256('key $n')], r_target => ARRAY[NULL::bytea],
    r_text => ARRAY['text'])
END
    is($status, 0, "request $n") or diag($text);

    return value('SELECT max(id) FROM cmp.request');
}

sub requests {
    run_ok("request list @_", 'request', 'list', '--json', @_);

    return join ' ', map { $_->{id} } @{JSON::PP::decode_json($out)};
}

my @waits = map { wait_for_operator($_) } 1 .. 3;

is(requests(), "$waits[2] $waits[1] $waits[0]", 'pending ones, latest first');
is(requests('--ca', 'devices', '--subject', 'cn=wait-2', '--limit', 1),
   $waits[1], 'by subject');
is(requests('--state', 'approved'), '', 'none approved');
run_not('a state that is none', 1, qr/"lost" is not a state: pending/,
        'request', 'list', '--state', 'lost');

run_ok('request show', 'request', 'show', '--json', $waits[0]);
$c = JSON::PP::decode_json($out);
is($c->{requester}, 'mac:device1', 'requester');
is($c->{client}, '192.0.2.7', 'client');
is($c->{type}, 'ir', 'type');
is($c->{sans}, 'DNS:a.example', 'SANs');
is($c->{key_hash}, value("SELECT encode(sha256('key 1'), 'hex')"), 'key');
is($c->{state}, 'pending', 'state');
run_ok('request show', 'request', 'show', $waits[0]);
like($out, qr/subject\s*\| CN=wait-1/, 'for people');
run_not('show an unknown one', 1, qr/there is no request 4711/, 'request',
        'show', '4711');
run_not('show what is no number', 2, qr/"x" is not the number of a request/,
        'request', 'show', 'x');

run_ok('approve', 'request', 'approve', $waits[0]);
is(requests('--state', 'approved'), $waits[0], 'is approved');
run_not('approve again', 1, qr/request \d+ is approved/, 'request', 'approve',
        $waits[0]);
run_not('reject after that', 1, qr/request \d+ is approved/, 'request',
        'reject', $waits[0]);
run_ok('reject', 'request', 'reject', '--reason', "it's not \"known\"",
       $waits[1]);
run_ok('request show', 'request', 'show', '--json', $waits[1]);
$c = JSON::PP::decode_json($out);
is($c->{state}, 'rejected', 'is rejected');
is($c->{reason}, "it's not \"known\"", 'reason');
ok($c->{decided_by}, 'by whom');
run_not('a long reason', 1, qr/longer than 160 octets/, 'request', 'reject',
        '--reason', 'x' x 161, $waits[2]);
run_not('a reason of two lines', 1, qr/control characters/, 'request',
        'reject', '--reason', "a\nb", $waits[2]);
value("UPDATE cmp.request SET expires_at = now() WHERE id = $waits[2]");
run_not('one that has expired', 1, qr/request \d+ is expired/, 'request',
        'approve', $waits[2]);
is(requests('--state', 'all'), "$waits[2] $waits[1] $waits[0]", 'all of them');
is(requests('--state', 'expired'), $waits[2], 'expired ones');
run_not('an unknown one', 1, qr/there is no request 4711/, 'request',
        'approve', '4711');

run_ok('audit list', 'audit', 'list', '--json', '--action', 'request reject');
like(JSON::PP::decode_json($out)->[0]{text}, qr/^request \d+: it's not/,
     'in the audit');

# the audit

run_ok('audit list', 'audit', 'list', '--json', '--serial', $first);
$list = JSON::PP::decode_json($out);
is(join(' ', map { $_->{action} } @$list), 'revoke ir', 'the latest first');
like($list->[0]{requester}, qr/^operator:\w+$/, 'who');
is($list->[0]{text}, 'keyCompromise', 'what');
is($list->[1]{client}, '192.0.2.7', 'from where');
run_ok('audit list with all', 'audit', 'list', '--json', '--ca', 'devices',
       '--requester', 'mac:*', '--action', 'ir', '--since', '1h', '--limit', 2);
is(scalar @{JSON::PP::decode_json($out)}, 2, 'limited');
run_ok('audit list as a table', 'audit', 'list', '--until', '1d');
run_ok('audit list', 'audit', 'list', '--transaction', '0102');

# CRLs

value("SELECT cmp.crl_store(1, 0, 'key', false, 0, 1, 0, 0,"
      . " pg_current_snapshot(), now(), now() + interval '1 day', 0, true, 0,"
      . " 'crl')", server());
run_ok('crl show', 'crl', 'show', '--ca', 'devices', '--json');
is(JSON::PP::decode_json($out)->[0]{number}, 1, 'its number');
run_ok('crl show --pem', 'crl', 'show', '--pem');
is($out, "-----BEGIN X509 CRL-----\nY3Js\n-----END X509 CRL-----\n", 'PEM');

run_ok('ca list', 'ca', 'list', '--json');
is(JSON::PP::decode_json($out)->[0]{ca}, 'devices', 'a CA');

done_testing();
