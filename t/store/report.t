#!/usr/bin/perl

# Copyright (C) ngx_http_cmp_module contributors
#
# cmpctl report: the numbers, kinds of keys, periods, who may see it.
#
# build: release

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use CMPStore;
use JSON::PP ();
use Test::More;

make_programs();

my ($status, $out, $err);


sub report {
    my ($what, @args) = @_;

    ($status, $out, $err) = cmpctl('report', '--json', @args);
    is($status, 0, $what) or diag($err);

    return $status == 0 ? JSON::PP::decode_json($out) : {};
}


sub run_not {
    my ($what, $code, $text, @args) = @_;

    ($status, $out, $err) = cmpctl('report', @args);
    is($status, $code, $what);
    like($err, $text, "$what: says why");
    is($out, '', "$what: prints nothing else");
}


# the rows of a part, the named columns of each in a line

sub rows {
    my ($report, $part, @columns) = @_;

    return join "\n", map { my $r = $_; join ' ', map { $r->{$_} // '-' }
                            @columns } @{$report->{$part}};
}


database();

my @parts = qw(certificates keys activity requests crls audit);
my $report = report('of nothing');

is(join(' ', map { scalar @{$report->{$_}} } @parts), '0 0 0 0 0 0',
   'is empty');
is(value("SELECT '$report->{until}'::timestamptz - '$report->{since}'"
         . " || ' ' || ('$report->{expiring_before}'::timestamptz"
         . " - '$report->{at}')"), '30 days 30 days', 'periods');

# keys, of certificates that openssl made

sub certificate {
    my ($name, $algorithm, @how) = @_;
    my @cert = ('openssl', 'req', '-new', '-x509', '-subj', '/CN=x', '-days',
                9, '-outform', 'DER', '-out', tmp('cert'), '-key');

    (program('openssl', 'genpkey', '-algorithm', $algorithm,
             (map { ('-pkeyopt', $_) } @how), '-out', tmp('pkey')))[0] == 0
        or return undef;

    # a key that signs nothing is put into a certificate of another one

    if ((program(@cert, tmp('pkey')))[0] != 0) {
        (program('openssl', 'pkey', '-in', tmp('pkey'), '-pubout', '-out',
                 tmp('pub')))[0] == 0 or return undef;
        (program('openssl', 'x509', '-new', '-subj', '/CN=x', '-days', 9,
                 '-signkey', tmp('signer'), '-force_pubkey', tmp('pub'),
                 '-outform', 'DER', '-out', tmp('cert')))[0] == 0
            or return undef;
    }

    open my $fh, '<:raw', tmp('cert') or die;
    local $/;

    return unpack 'H*', <$fh>;
}

is((program('openssl', 'genpkey', '-algorithm', 'ed25519', '-out',
            tmp('signer')))[0], 0, 'a key');

my @kinds = (
    ['ec:P-256', 'EC', 'ec_paramgen_curve:P-256'],
    ['ec:P-384', 'EC', 'ec_paramgen_curve:P-384'],
    ['ec:P-521', 'EC', 'ec_paramgen_curve:P-521'],
    ['ec:brainpoolP256r1', 'EC', 'ec_paramgen_curve:brainpoolP256r1'],
    ['ec:brainpoolP384r1', 'EC', 'ec_paramgen_curve:brainpoolP384r1'],
    ['ec:brainpoolP512r1', 'EC', 'ec_paramgen_curve:brainpoolP512r1'],
    ['ec:secp256k1', 'EC', 'ec_paramgen_curve:secp256k1'],
    ['ec:unknown', 'EC', 'ec_paramgen_curve:secp224r1'],
    ['rsa:2048', 'RSA', 'rsa_keygen_bits:2048'],
    ['rsa:2043', 'RSA', 'rsa_keygen_bits:2043'],
    ['rsa:1024', 'RSA', 'rsa_keygen_bits:1024'],
    ['rsa:4096', 'RSA', 'rsa_keygen_bits:4096'],
    ['rsa-pss:2048', 'RSA-PSS', 'rsa_keygen_bits:2048'],
    ['rsa-pss:2048', 'RSA-PSS', 'rsa_keygen_bits:2048',
     'rsa_pss_keygen_md:sha384', 'rsa_pss_keygen_mgf1_md:sha384',
     'rsa_pss_keygen_saltlen:48'],
    ['ed25519', 'ed25519'], ['ed448', 'ed448'], ['x25519', 'x25519'],
    ['x448', 'x448'],
    (map { [lc $_, $_] } 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87',
     map({ ("SLH-DSA-$_") } qw(SHA2-128s SHA2-128f SHA2-192s SHA2-192f
                               SHA2-256s SHA2-256f SHAKE-128s SHAKE-128f
                               SHAKE-192s SHAKE-192f SHAKE-256s
                               SHAKE-256f))),
);
my %der;

for my $kind (@kinds) {
    my ($name, @how) = @$kind;
    my $der = certificate(@$kind);

    # since OpenSSL 3.5

    if (!defined $der && $name =~ /dsa/) {
        SKIP: { skip("openssl makes no key $name", 1) }
        next;
    }

    is(defined $der ? value("SELECT cmp.key_kind('\\x$der')") : 'no key',
       $name, "@how");
    $der{$name} = $der;
}

# version 1: without the field; a long name of the issuer

(program('/bin/sh', '-c', 'cd "$0" && openssl req -new -key signer -subj'
    . ' "/O=$(head -c 60 /dev/zero | tr "\0" o)/OU=$(head -c 60 /dev/zero'
    . ' | tr "\0" u)/CN=$(head -c 60 /dev/zero | tr "\0" x)" -out req && openssl'
    . ' x509 -req -in req -signkey signer -outform DER -out v1', tmp()))[0] == 0
    or diag('openssl x509 -req failed');

open my $fh, '<:raw', tmp('v1') or die;
my $v1 = do { local $/; unpack 'H*', <$fh> };
close $fh;

is(value("SELECT cmp.key_kind('\\x$v1')"), 'ed25519', 'a long name');

# octets that are no certificate: never an error, never read beyond the end

for my $kind ('ec:P-256', 'rsa:2048', 'rsa-pss:2048', 'ed25519') {
    is(value("SELECT count(*) FILTER (WHERE k = 'unknown') > 40"
             . " AND bool_and(k IN ('unknown', 'ec:unknown', '$kind')"
             . "              OR k ~ '^rsa')"
             . " FROM (SELECT cmp.key_kind(substr(d, 1, n)) AS k"
             . " FROM (VALUES ('\\x$der{$kind}'::bytea)) AS c (d),"
             . " generate_series(0, octet_length(d)) AS n) x"), 't',
       "$kind, cut off");
    is(value("SELECT count(*) > 500 FROM (SELECT cmp.key_kind(set_byte(d, n,"
             . " b)) FROM (VALUES ('\\x$der{$kind}'::bytea)) AS c (d),"
             . " generate_series(0, octet_length(d) - 1) AS n,"
             . " unnest(ARRAY[0, 1, 127, 128, 129, 130, 131, 132, 255]) AS b)"
             . " AS x"), 't', "$kind, changed");
}

is(value("SELECT cmp.key_kind('')"), 'unknown', 'no octets');

# certificates

my $n = 0;

# CA, profile, state, days since issued, days to the end; other columns

sub certificate_row {
    my ($ca, $profile, $state, $issued, $days, %with) = @_;
    my $der = $der{$with{key} // 'ec:P-256'};
    my $at = "now() - interval '$issued days'";
    my $serial = $with{serial} // "cmp.serial_bound($at) || sha256('$n')";

    $n++;
    is((sql("INSERT INTO cmp.certificate (state, ca_id, cert_req_id,"
        . " issued_at, not_before, not_after, serial, key_hash, subject_hash,"
        . " profile, subject, der, replaced) VALUES ($state, $ca, 0, $at, $at,"
        . " now() + interval '$days days', substr($serial, 1, 20),"
        . " sha256('key $n'), sha256('x'), '$profile', 'CN=x',"
        . " '\\x$der', " . ($with{replaced} // 'false') . ")"))[0], 0,
       "certificate $n");

    my $reason = $state == 3 ? $with{reason} // 0 : $state == 2 ? 6 : return;

    value("INSERT INTO cmp.revocation SELECT ca_id, state, $reason, 4, 0,"
          . " pg_current_xact_id(), now() - interval '"
          . ($with{revoked} // 1) . " days', NULL, not_after, serial"
          . " FROM cmp.certificate c WHERE key_hash = sha256('key $n')");
}

is(value("SELECT cmp.ca_register('devices', NULL)", server()), 1, 'a CA');
is(value("SELECT cmp.ca_register('others', NULL)", server()), 2, 'another');

certificate_row(1, 'device', 1, 1, 100);
certificate_row(1, 'device', 1, 2, 20, key => 'rsa:2048');
certificate_row(1, 'device', 1, 50, 25, replaced => 'true');
certificate_row(1, 'device', 0, 0, 100);
certificate_row(1, 'device', 2, 3, 10);
certificate_row(1, 'device', 3, 4, 100, reason => 1);
certificate_row(1, 'device', 3, 40, 10, reason => 1, revoked => 35);
certificate_row(1, 'device', 3, 4, -1, reason => 4);
certificate_row(1, 'server', 1, 90, -1);
certificate_row(1, 'server', 2, 90, -1);
certificate_row(2, 'server', 1, 5, 100, key => 'ed25519', serial => "'\\x05'::bytea");
certificate_row(2, 'server', 1, 400, 100, key => 'ed25519',
                serial => "'\\x06'::bytea");

my @columns = qw(ca profile state reason count expiring not_replaced);

$report = report('certificates', 'certificates');
is(join(' ', sort keys %$report), 'at certificates expiring_before since until',
   'no other part');
is(rows($report, 'certificates', @columns), <<'END' =~ s/\n\z//r, 'by state');
devices device unconfirmed - 1 0 0
devices device valid - 3 2 1
devices device hold - 1 1 1
devices device revoked keyCompromise 2 0 0
devices device revoked superseded 1 0 0
devices server expired - 2 0 0
others server valid - 2 0 0
END
is(value("SELECT round(extract(epoch FROM '"
         . $report->{certificates}[1]{next_expiry} . "' - now()) / 86400)"), 20,
   'the next one that ends');

$report = report('of one CA', '--ca', 'others', '--expiring', 101);
is(rows($report, 'certificates', @columns), 'others server valid - 2 2 2',
   'that end within 101 days');
is(rows($report, 'keys', qw(ca key count)), 'others ed25519 2', 'keys');

is(rows(report('1 week', '--expiring', '1w', '--ca', 'devices', 'certificates'),
        'certificates', qw(state expiring)) =~ tr/1-9//, 0, 'none');
is(rows(report('all keys', 'keys'), 'keys', qw(ca key count)), <<'END'
devices ec:P-256 4
devices rsa:2048 1
others ed25519 2
END
   =~ s/\n\z//r, 'of those in use');

# the period

value("INSERT INTO cmp.audit (at, ca_id, status, fail_info, action, requester)"
      . " SELECT now() - d * interval '1 day', c, s, f, a, 'mac:x' FROM (VALUES"
      . " (1, 1, 0, NULL, 'ir'), (2, 1, 2, 9, 'ir'), (3, 1, 2, 9, 'kur'),"
      . " (3, 1, 2, NULL, 'ir'), (4, 2, 2, 0, 'ir'), (40, 1, 2, 9, 'ir'),"
      . " (5, 1, NULL, NULL, 'revoke'), (6, 1, 3, NULL, 'ir'))"
      . " AS v (d, c, s, f, a)");

@columns = qw(ca event kind count);

$report = report('activity', 'activity', 'audit');
is(rows($report, 'activity', @columns), <<'END' =~ s/\n\z//r, '30 days');
devices issued device 6
devices refused badPOP 2
devices refused - 1
devices revoked certificateHold 2
devices revoked keyCompromise 1
devices revoked superseded 1
others issued server 1
others refused badAlg 1
END
is(rows($report, 'audit', qw(ca action status count)), <<'END'
devices ir accepted 1
devices ir rejection 2
devices ir waiting 1
devices kur rejection 1
devices revoke - 1
others ir rejection 1
END
   =~ s/\n\z//r, 'audit');

is(rows(report('a period', 'activity', '--since', '60d', '--until', '30d'),
        'activity', @columns), <<'END' =~ s/\n\z//r, '60 to 30 days ago');
devices issued device 2
devices refused badPOP 1
devices revoked keyCompromise 1
END
is(rows(report('all', 'activity', '--since', '-infinity', '--until',
               'infinity', '--ca', 'others'), 'activity', @columns),
   "others issued server 2\nothers refused badAlg 1", 'since the beginning');

# what a certificate of a partition that is not there yet is in

value("UPDATE cmp.certificate SET serial = cmp.serial_bound(issued_at)"
      . " || '\\x07' WHERE serial = '\\x06'");
is(rows(report('a serial number outside of all partitions', 'activity',
               '--since', '500d', '--until', '300d'), 'activity', @columns),
   'others issued server 1', 'is counted once');

# requests that wait

value("INSERT INTO cmp.request (created_at, expires_at, over_at, ca_id,"
      . " cert_req_id, state, body, transaction_id, profile, subject, sans,"
      . " text, requester, client) SELECT now() - interval '2 hours', now() + e"
      . " * interval '1 hour', CASE WHEN s IN (0, 1) THEN NULL ELSE now() END,"
      . " 1, 0, s, 0, '\\x01', 'device', 'CN=x', '', '', 'mac:x', '' FROM"
      . " (VALUES (0, 3), (0, 1), (0, -1), (1, 5), (2, 5), (4, 5))"
      . " AS v (s, e)");
$report = report('requests', 'requests');
is(rows($report, 'requests', qw(ca profile type state count)),
   "devices device ir approved 1\ndevices device ir pending 2", 'that wait');
is(value("SELECT round(extract(epoch FROM now() - '"
         . $report->{requests}[1]{oldest} . "') / 60) || ' '"
         . " || round(extract(epoch FROM '"
         . $report->{requests}[1]{next_expiry} . "' - now()) / 60)"), '120 60',
   'since when, until when');

# CRLs

sub crl {
    my ($partition, $number, $ends) = @_;

    is((sql("SELECT cmp.crl_store(1, $partition, 'key', false, 0, $number, 0,"
            . " 0, pg_current_snapshot(), now() - interval '2 hours',"
            . " now() + interval '$ends', 3, false, 0, 'crl')", server()))[0],
       0, "CRL $number");
}

sub crls {
    return rows(report('CRLs', 'crls', '--ca', 'devices'), 'crls',
                qw(partition kind number entries state));
}

is(crls(), '- - - - missing', 'none');
crl(0, 1, '1 day');
crl(2, 2, '-1 hour');
is(crls(), "0 complete 1 3 current\n2 complete 2 3 overdue", 'states');
value('UPDATE cmp.revocation SET change = pg_current_xact_id()'
      . ' WHERE serial = (SELECT serial FROM cmp.revocation LIMIT 1)');
is(crls(), "0 complete 1 3 behind\n2 complete 2 3 overdue", 'a revocation');
is((cmpctl('crl', 'publish', '--ca', 'devices'))[0], 0, 'publish');
is(crls(), "0 complete 1 3 awaited\n2 complete 2 3 overdue", 'is awaited');

# as text, for operators and auditors

my $user = "test_report_$$";

value("CREATE ROLE $user LOGIN");

for my $role (qw(cmp_operator cmp_auditor)) {
    value("GRANT $role TO $user");
    ($status, $out, $err) = cmpctl('--dsn', role($user), 'report');
    is($status, 0, "as $role") or diag($err);
    value("REVOKE $role FROM $user");
}

like($out, qr/^Certificates\n\s*ca\s*\|.*^CRLs\n/ms, 'text');
like($out, qr/^ devices \| ir \s*\| rejection \| +2 /m, 'the audit');
value("GRANT cmp_server TO $user");
($status, $out, $err) = cmpctl('--dsn', role($user), 'report');
is($status, 1, 'not as cmp_server');
like($err, qr/permission denied/, 'says why');
value("DROP ROLE $user");

# refusals

run_not('an unknown CA', 1, qr/there is no CA "x"/, '--ca', 'x');
run_not('an unknown CA, one part', 1, qr/there is no CA "x"/, '--ca', 'x',
        $_) for @parts;
run_not('an unknown part', 2, qr/"keyz" is not a part of the report: cert/,
        'keyz');
run_not('a period that is none', 1, qr/ends before it begins/, '--since', '1d',
        '--until', '2d');
run_not('a period that is none', 1, qr/ends before it begins/, '--until',
        '1990-01-01', 'audit');
run_not('days that are none', 1, qr/invalid input syntax .*"soon"/,
        '--expiring', 'soon');

done_testing();
