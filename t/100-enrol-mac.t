# Copyright (C) ngx_http_cmp_module contributors
#
# Enrolment with a shared secret: ir, cr and p10cr, confirmed or not.

use lib 't/lib';
use CMPTest;

credential(reference => 'device1', secret => 'insecure');
credential(reference => 'once', secret => 'insecure', uses => 1);
credential(reference => 'named', secret => 'insecure',
           subject => 'CN=dev-*,O=Example');
credential(reference => 'dns', secret => 'insecure', san => 'dns:a.example');
credential(reference => 'gone', secret => 'insecure');
credential(reference => 'past', secret => 'insecure', expires => '1s');

our $san = default_http_config(
    profile => "san dns:*.example ip; subject required=CN optional=O;");

run_tests();

__DATA__

=== ir with certConf
--- cmp
ir -ref device1 -secret pass:insecure -subject /CN=ir-confirmed
   -newkey %%NEWKEY%% -certout %%TMP%%/cert.pem -cacertsout %%TMP%%/ca.pem
   -extracertsout %%TMP%%/extra.pem
--- cmp_out
sending IR
received IP
sending CERTCONF
received PKICONF
--- test
my ($status, $out) = execute('openssl', 'verify', '-CAfile',
    pki('root.pem'), '-untrusted', pki('ca.pem'), tmp('cert.pem'));
is($status, 0, 'the certificate verifies') or diag($out);

($status, $out) = execute('openssl', 'x509', '-in', tmp('cert.pem'), '-noout',
    '-subject', '-ext', 'keyUsage,subjectKeyIdentifier');
like($out, qr/CN ?= ?ir-confirmed/, 'subject');
like($out, qr/Digital Signature/, 'keyUsage');

# the root goes to who has a secret, the chain to everybody

($status, $out) = execute('cmp', tmp('ca.pem'), pki('root.pem'));
ok(-s tmp('ca.pem'), 'caPubs');
ok(-s tmp('extra.pem'), 'extraCerts');
--- sql
SELECT state, subject FROM cmp.certificate
--- sql_out
1|CN=ir-confirmed



=== what was decided is in the audit, in one row each
--- cmp
ir -ref device1 -secret pass:insecure -subject /CN=audited
   -newkey %%NEWKEY%% -certout %%TMP%%/cert.pem
--- test
my ($status, $out) = cmpctl('audit', 'list', '--json');
is($status, 0, 'cmpctl audit list') or diag($out);
like($out, qr/mac:device1/, 'requester');
like($out, qr/127\.0\.0\.1/, 'client');
like($out, qr/certConf/, 'certConf');



=== ir with implicitConfirm
--- cmp
ir -ref device1 -secret pass:insecure -subject /CN=implicit
   -newkey %%NEWKEY%% -certout %%TMP%%/cert.pem -implicit_confirm
--- cmp_out_not
sending CERTCONF
--- sql
SELECT state FROM cmp.certificate WHERE subject = 'CN=implicit'
--- sql_out
1



=== the profile may refuse implicitConfirm: the client has to confirm
--- http_config eval
main::default_http_config(profile => 'implicit_confirm off;')
--- cmp
ir -ref device1 -secret pass:insecure -subject /CN=not-implicit
   -newkey %%NEWKEY%% -certout %%TMP%%/cert.pem -implicit_confirm
--- cmp_out
sending CERTCONF



=== without confirmation it is revoked, by the sweeper
--- http_config eval
main::default_http_config(ca => 'confirm_timeout 1s;')
--- cmp
ir -ref device1 -secret pass:insecure -subject /CN=unconfirmed
   -newkey %%NEWKEY%% -certout %%TMP%%/cert.pem -disable_confirm
--- wait_sql
SELECT state = 3 FROM cmp.certificate WHERE subject = 'CN=unconfirmed'



=== cr
--- cmp
cr -ref device1 -secret pass:insecure -subject /CN=cr
   -newkey %%NEWKEY%% -certout %%TMP%%/cert.pem
--- cmp_out
received CP



=== p10cr
--- test
my $key = newkey('P-256');
my ($status, $out) = execute('openssl', 'req', '-new', '-config', '/dev/null',
    '-subj', '/CN=p10', '-key', $key, '-out', tmp('p10.csr'));
is($status, 0, 'PKCS#10') or diag($out);

($status, $out) = client('p10cr', '-ref', 'device1', '-secret',
    'pass:insecure', '-csr', tmp('p10.csr'), '-certout', tmp('p10.pem'));
is($status, 0, 'p10cr') or diag($out);
like($out, qr/received PKICONF/, 'confirmed');
--- sql
SELECT state FROM cmp.certificate WHERE subject = 'CN=p10'
--- sql_out
1



=== a PKCS#10 that was changed has no proof of possession
--- test
my ($status, $out) = execute('sh', '-c', 'openssl req -new -config /dev/null '
    . '-subj /CN=p10-bad -key ' . newkey('P-256') . ' -outform DER | '
    . q{perl -0777 -pe 's/p10-bad/p10-BAD/' | }
    . 'openssl req -inform DER -noverify -out ' . tmp('bad.csr')
    . ' 2>/dev/null || true');

SKIP: {
    skip('openssl req cannot write it', 1) if !-s tmp('bad.csr');

    ($status, $out) = client('p10cr', '-ref', 'device1', '-secret',
        'pass:insecure', '-csr', tmp('bad.csr'), '-certout', tmp('bad.pem'));
    like($out, qr/badPOP/, 'badPOP');
}



=== kinds of keys
--- test
for my $kind (qw(P-256 P-384 ed25519 rsa)) {
    my ($status, $out) = client('ir', '-ref', 'device1', '-secret',
        'pass:insecure', '-subject', "/CN=key-$kind", '-newkey',
        newkey($kind), '-certout', tmp("$kind.pem"));
    is($status, 0, "ir for a key of kind $kind") or diag($out);
}
--- sql
SELECT count(*) FROM cmp.certificate WHERE subject LIKE 'CN=key-%' AND state = 1
--- sql_out
4



=== HMAC with SHA-1, the default of the client
--- cmp
ir -ref device1 -secret pass:insecure -subject /CN=sha1 -digest sha256
   -mac hmac-sha1 -newkey %%NEWKEY%% -certout %%TMP%%/1.pem



=== SHA-1 in the proof of possession is another matter
--- cmp
ir -ref device1 -secret pass:insecure -subject /CN=sha1-popo -digest sha1
   -mac hmac-sha1 -newkey %%NEWKEY%% -certout %%TMP%%/1.pem
--- cmp_exit: 1
--- cmp_out
badPOP



=== HMAC with SHA-512
--- cmp
ir -ref device1 -secret pass:insecure -subject /CN=sha512 -digest sha512
   -mac hmacWithSHA512 -newkey %%NEWKEY%% -certout %%TMP%%/1.pem



=== SHA-1 can be turned off
--- http_config eval
main::default_http_config(ca => 'mac_sha1 off;')
--- cmp
ir -ref device1 -secret pass:insecure -subject /CN=no-sha1 -digest sha1
   -mac hmac-sha1 -newkey %%NEWKEY%% -certout %%TMP%%/1.pem
--- cmp_exit: 1
--- cmp_out
badAlg



=== without senderKID the name of the sender is the reference
--- cmp
ir -secret pass:insecure -subject /CN=device1
   -newkey %%NEWKEY%% -certout %%TMP%%/1.pem



=== wrong secret
--- cmp
ir -ref device1 -secret pass:wrong -subject /CN=wrong-secret
   -newkey %%NEWKEY%% -certout %%TMP%%/1.pem -unprotected_errors
--- cmp_exit: 1
--- cmp_out
badMessageCheck
--- error_log
wrong MAC
--- sql
SELECT count(*) FROM cmp.certificate WHERE subject = 'CN=wrong-secret'
--- sql_out
0



=== unknown reference: the client is told the same
--- cmp
ir -ref nobody -secret pass:insecure -subject /CN=wrong-reference
   -newkey %%NEWKEY%% -certout %%TMP%%/1.pem -unprotected_errors
--- cmp_exit: 1
--- cmp_out
badMessageCheck
--- error_log
unknown or disabled reference
--- sql
SELECT count(*) FROM cmp.audit WHERE requester LIKE '%nobody%'
--- sql_out
0



=== a disabled secret is an unknown one
--- test
my ($status, $out) = cmpctl('credential', 'disable', '--ca', 'devices',
                            '--reference', 'gone');
is($status, 0, 'disabled') or diag($out);

($status, $out) = client('ir', '-ref', 'gone', '-secret', 'pass:insecure',
    '-subject', '/CN=gone', '-newkey', newkey('P-256'),
    '-certout', tmp('gone.pem'), '-unprotected_errors');
is($status, 1, 'refused');
like($out, qr/badMessageCheck/, 'badMessageCheck');



=== a secret for one use
--- cmp
ir -ref once -secret pass:insecure -subject /CN=once
   -newkey %%NEWKEY%% -certout %%TMP%%/1.pem
ir -ref once -secret pass:insecure -subject /CN=twice
   -newkey %%NEWKEY%% -certout %%TMP%%/2.pem
--- cmp_exit: 0 1
--- cmp_out
received PKICONF
notAuthorized
--- sql
SELECT count(*) FROM cmp.certificate WHERE subject = 'CN=twice'
--- sql_out
0



=== a secret that has ended
--- test
sleep(2);

my ($status, $out) = client('ir', '-ref', 'past', '-secret', 'pass:insecure',
    '-subject', '/CN=past', '-newkey', newkey('P-256'),
    '-certout', tmp('past.pem'));
is($status, 1, 'refused');
like($out, qr/notAuthorized/, 'notAuthorized');



=== a secret for some subjects
--- cmp
ir -ref named -secret pass:insecure -subject /O=Example/CN=dev-1
   -newkey %%NEWKEY%% -certout %%TMP%%/1.pem
ir -ref named -secret pass:insecure -subject /O=Example/CN=other
   -newkey %%NEWKEY%% -certout %%TMP%%/2.pem
ir -ref named -secret pass:insecure -subject /CN=dev-1
   -newkey %%NEWKEY%% -certout %%TMP%%/2.pem
--- cmp_exit: 0 1 1
--- cmp_out
notAuthorized



=== subjectAltName by profile and by credential
--- http_config eval: $main::san
--- cmp
ir -ref device1 -secret pass:insecure -subject /CN=san -sans "b.example"
   -newkey %%NEWKEY%% -certout %%TMP%%/1.pem
--- test
my ($status, $out) = execute('openssl', 'x509', '-in', tmp('1.pem'), '-noout',
                             '-ext', 'subjectAltName');
like($out, qr/DNS:b\.example/, 'subjectAltName');



=== a subjectAltName that the credential does not cover
--- http_config eval: $main::san
--- cmp
ir -ref dns -secret pass:insecure -subject /CN=san2 -sans "b.example"
   -newkey %%NEWKEY%% -certout %%TMP%%/1.pem
--- cmp_exit: 1
--- cmp_out
notAuthorized



=== a subjectAltName that the profile does not know
--- http_config eval: $main::san
--- cmp
ir -ref device1 -secret pass:insecure -subject /CN=san3 -sans "b.test"
   -newkey %%NEWKEY%% -certout %%TMP%%/1.pem
--- cmp_exit: 1
--- cmp_out
badCertTemplate



=== proof of possession: by signature of course, none, and raVerified
--- cmp
ir -ref device1 -secret pass:insecure -subject /CN=popo1 -popo 1
   -newkey %%NEWKEY%% -certout %%TMP%%/1.pem
ir -ref device1 -secret pass:insecure -subject /CN=popo2 -popo -1
   -newkey %%NEWKEY%% -certout %%TMP%%/2.pem
ir -ref device1 -secret pass:insecure -subject /CN=popo3 -popo 0
   -newkey %%NEWKEY%% -certout %%TMP%%/3.pem
--- cmp_exit: 0 1 1
--- cmp_out
/badPOP|-newkeyout not given/
notAuthorized
--- sql
SELECT count(*) FROM cmp.certificate WHERE subject LIKE 'CN=popo%'
--- sql_out
1



=== proof of possession by encryption is refused with a text
--- test
my ($status, $out) = client('ir', '-ref', 'device1', '-secret',
    'pass:insecure', '-subject', '/CN=popo4', '-popo', '2', '-newkey',
    newkey('rsa'), '-certout', tmp('4.pem'));
is($status, 1, 'refused');
like($out, qr/badPOP/, 'badPOP') or diag($out);



=== a key is certified for one subject
--- test
my $key = newkey('P-256');

for my $n (1, 2) {
    my ($status, $out) = client('ir', '-ref', 'device1', '-secret',
        'pass:insecure', '-subject', "/CN=reuse-$n", '-newkey', $key,
        '-certout', tmp("reuse-$n.pem"));
    is($status, $n - 1, "request $n") or diag($out);
    like($out, qr/badCertTemplate/, 'badCertTemplate') if $n == 2;
}



=== a client that confirms nothing asks again for the same key
--- test
my $key = newkey('P-256');

for my $n (1, 2) {
    my ($status, $out) = client('ir', '-ref', 'device1', '-secret',
        'pass:insecure', '-subject', '/CN=again', '-newkey', $key,
        '-certout', tmp("again-$n.pem"), $n == 1 ? '-disable_confirm' : ());
    is($status, 0, "request $n") or diag($out);
}
--- sql
SELECT state FROM cmp.certificate WHERE subject = 'CN=again' ORDER BY serial
--- sql_out
3
1



=== a client that rejects the certificate: it is revoked
--- test
# it does not trust the root, so the certificate does not verify

my ($status, $out) = client('ir', '-ref', 'device1', '-secret',
    'pass:insecure', '-subject', '/CN=rejected', '-newkey', newkey('P-256'),
    '-certout', tmp('rejected.pem'), '-out_trusted',
    pki('other-root.pem'));
isnt($status, 0, 'rejected');
like($out, qr/sending CERTCONF/, 'said so');
--- sql
SELECT state FROM cmp.certificate WHERE subject = 'CN=rejected'
--- sql_out
3



=== no subject: the proof of possession has to bind another name
--- cmp
ir -ref device1 -secret pass:insecure
   -newkey %%NEWKEY%% -certout %%TMP%%/1.pem
--- cmp_exit: 1
--- cmp_out
badPOP



=== a key that the profile does not allow
--- test
my ($status, $out) = client('ir', '-ref', 'device1', '-secret',
    'pass:insecure', '-subject', '/CN=p521', '-newkey', newkey('P-521'),
    '-certout', tmp('p521.pem'));
is($status, 1, 'refused');
like($out, qr/badCertTemplate/, 'badCertTemplate') or diag($out);



=== genm is answered where it can be
--- cmp
genm -ref device1 -secret pass:insecure -infotype signKeyPairTypes
--- cmp_out
/ITAV.* id-it-signKeyPairTypes|infoType=id-it-signKeyPairTypes/
