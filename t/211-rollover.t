# Copyright (C) ngx_http_cmp_module contributors
#
# A new key for the CA, under the same name: certificates of the old key are
# updated, revoked, and looked up in CRLs and by OCSP as before.

use lib 't/lib';
use CMPTest;
use CMPCrl;
use CMPRaw;

credential(reference => 'device1', secret => 'insecure');

# a certificate of the root for the name of the CA and a new key

sub new_ca {
    my ($name) = @_;

    open my $fh, '>', tmp('ca.cnf') or die;
    print $fh <<'_EOC_';
[req]
distinguished_name = dn
[dn]
[ca]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,digitalSignature,keyCertSign,cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
_EOC_
    close $fh;

    execute('cp', newkey(), tmp("$name.key"));

    my ($status, $out) = execute('openssl', 'req', '-new', '-config',
        tmp('ca.cnf'), '-subj', '/O=Example/CN=Example Device CA', '-key',
        tmp("$name.key"), '-out', tmp("$name.csr"));
    die $out if $status != 0;

    ($status, $out) = execute('openssl', 'x509', '-req', '-in',
        tmp("$name.csr"), '-CA', pki('root.pem'), '-CAkey', pki('root.key'),
        '-set_serial', 4711, '-days', 3000, '-extfile', tmp('ca.cnf'),
        '-extensions', 'ca', '-out', tmp("$name.pem"));
    die $out if $status != 0;

    execute('/bin/sh', '-c', 'cat "$0" "$1" >"$2"', tmp("$name.pem"),
            pki('root.pem'), tmp("$name-chain.pem"));
}

new_ca('new');

our $locations = default_config() . <<'_EOC_';
location = /old.crl { cmp_crl devices previous=1; }
location /ocsp      { cmp_ocsp devices; }
_EOC_

our $before = $locations =~ s/location = .old.*//r;

# the same with the new key, and the old one as a previous one

our $http = default_http_config(
    certificate => tmp('new-chain.pem'), key => tmp('new.key'),
    ca => 'previous_certificate ' . pki('ca.pem') . ';'
          . 'previous_certificate_key ' . pki('ca.key') . ';')
    =~ s/response_certificate.*//gr;

our %issued;

# by a client that has one of the CA certificates, and the root

sub by {
    my ($ca, $command, @args) = @_;

    return client($command, '-untrusted', $ca, @args);
}

sub get {
    my ($status, $cert) = @_;
    my $name = shift;
    my $key = newkey();

    my ($rc, $out) = by(pki('ca.pem'), 'ir', '-ref', 'device1', '-secret',
        'pass:insecure', '-subject', "/CN=$name", '-newkey', $key, '-certout',
        tmp("$name.pem"), '-implicit_confirm');
    is($rc, 0, "a certificate for $name") or diag($out);

    execute('cp', $key, tmp("$name.key"));
}

# 0: it is not revoked, by the CRL at this URI and this CA certificate

sub checked {
    my ($cert, $ca, $uri) = @_;

    crl($uri, 'now.crl');

    my ($status, $out) = execute('openssl', 'verify', '-crl_check', '-CAfile',
        pki('root.pem'), '-untrusted', $ca, '-CRLfile', tmp('now.crl'),
        tmp("$cert.pem"));

    return $status == 0 ? 'fine'
           : $out =~ /certificate revoked/ ? 'revoked' : $out;
}

sub ocsp {
    my ($cert, $ca) = @_;
    my ($status, $out) = execute('openssl', 'ocsp', '-issuer', $ca, '-CAfile',
        pki('root.pem'), '-verify_other', $ca, '-cert', tmp("$cert.pem"),
        '-url', "http://127.0.0.1:${\port()}/ocsp", '-no_nonce');

    return $out =~ /Response verify OK/ && $out =~ /\.pem: (\w+)/ ? $1 : $out;
}

our $delegated = $http =~ s/(previous_certificate )/ocsp responder=delegated; $1/r;

run_tests();

__DATA__

=== before: certificates of the old key
--- config eval: $main::before
--- test
main::get($_) for qw(old1 old2 old3);
is(main::checked('old1', pki('ca.pem'), '/crl/devices.crl'), 'fine', 'CRL');



=== after
--- http_config eval: $main::http
--- config eval: $main::locations
--- test
my ($new, $old) = (tmp('new.pem'), pki('ca.pem'));

# a first certificate, and one that is updated: both of the new key

my ($status, $out) = main::by($new, 'ir', '-ref', 'device1', '-secret',
    'pass:insecure', '-subject', '/CN=new1', '-newkey', newkey(), '-certout',
    tmp('new1.pem'), '-implicit_confirm');
is($status, 0, 'ir') or diag($out);

my $key = newkey();

($status, $out) = main::by($new, 'kur', '-cert', tmp('old1.pem'), '-key',
    tmp('old1.key'), '-extracerts', $old, '-newkey', $key, '-certout',
    tmp('updated.pem'));
is($status, 0, 'kur by a certificate of the old key') or diag($out);

for my $name (qw(new1 updated)) {
    ($status, $out) = execute('openssl', 'verify', '-CAfile',
        pki('root.pem'), '-untrusted', $new, tmp("$name.pem"));
    is($status, 0, "$name is of the new key") or diag($out);
}

# questions by it, one that clients of every age know

($status, $out) = main::by($new, 'genm', '-cert', tmp('old2.pem'), '-key',
    tmp('old2.key'), '-infotype', 'signKeyPairTypes');
is($status, 0, 'genm') or diag($out);

# everything is fine everywhere

my $crl = '/crl/devices.crl';

is(main::checked('new1', $new, $crl), 'fine', 'CRL of the new key');
is(main::checked('old2', $old, '/old.crl'), 'fine', 'CRL of the old key');
is(main::ocsp('new1', $new), 'good', 'OCSP by the new key');
is(main::ocsp('old2', $old), 'good', 'OCSP by the old key');
is(main::ocsp('old2', $new), 'unknown', 'it is not of the new key');
is(main::ocsp('new1', $old), 'unknown', 'nor the other way round');

# revoke one of each

($status, $out) = main::by($new, 'rr', '-cert', tmp('old2.pem'), '-key',
    tmp('old2.key'), '-oldcert', tmp('old2.pem'), '-revreason', 4);
is($status, 0, 'rr for one of the old key') or diag($out);
($status, $out) = cmpctl('certificate', 'revoke', sql(
    "SELECT encode(serial, 'hex') FROM cmp.certificate
     WHERE subject = 'CN=new1'"));
is($status, 0, 'cmpctl revoke') or diag($out);

is(main::checked('old2', $old, '/old.crl'), 'revoked', 'CRL of the old key');
is(main::checked('new1', $new, $crl), 'revoked', 'CRL of the new key');
is(main::checked('old3', $old, '/old.crl'), 'fine', 'another old one');
is(main::ocsp('old2', $old), 'revoked', 'OCSP by the old key');
ok(wait_for(sub { main::ocsp('new1', $new) eq 'revoked' }, 10),
   'OCSP by the new key');
is(main::ocsp('old3', $old), 'good', 'another old one');

# the revoked one signs nothing any more

($status, $out) = main::by($new, 'kur', '-cert', tmp('old2.pem'), '-key',
    tmp('old2.key'), '-newkey', newkey(), '-certout', tmp('x.pem'));
is($status, 1, 'kur');
like($out, qr/certRevoked/, 'certRevoked');



=== delegated OCSP responders: each key has issued its own
--- http_config eval: $main::delegated
--- config eval: $main::locations
--- test
my ($new, $old) = (tmp('new.pem'), pki('ca.pem'));

is(main::ocsp('updated', $new), 'good', 'by that of the new key');
is(main::ocsp('old3', $old), 'good', 'by that of the old key');
is(main::ocsp('old2', $old), 'revoked', 'a revoked one');
is(main::ocsp('old3', $new), 'unknown', 'it is not of the new key');

is(sql("SELECT string_agg(encode(key_id, 'hex'), ' ' ORDER BY key_id)
        FROM cmp.ocsp_responder"),
   join(' ', sort map {
       (execute('openssl', 'x509', '-in', $_, '-noout', '-ext',
                'subjectKeyIdentifier'))[1]
           =~ s/.*?:\s*\n\s*//sr =~ s/[:\s]//gr =~ tr/A-F/a-f/r } $new, $old),
   'one of each');
