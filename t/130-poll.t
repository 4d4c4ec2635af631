# Copyright (C) ngx_http_cmp_module contributors
#
# Requests that wait for an operator: ir, cr, p10cr and kur of a client that
# polls, decisions by cmpctl, restarts, expiry.

use lib 't/lib';
use CMPTest;

use POSIX ();

# a single process starts no thread pool anew when it reloads

master_on();

credential(reference => 'device1', secret => 'insecure');
credential(reference => 'once', secret => 'insecure', uses => 1);

our $manual = default_http_config(profile => 'approval manual;',
                                  ca => 'check_after 1s;');

# does something with the id of the request as soon as it waits, while the
# client polls; gives the process

sub operator {
    my ($subject, $do) = @_;
    my $pid = fork() // die "fork() failed: $!";

    return $pid if $pid != 0;

    my $id = '';

    wait_for(sub {
        $id = sql("SELECT id FROM cmp.request WHERE state = 0"
                  . " AND subject LIKE '$subject'");
        return $id =~ /^\d+$/;
    }, 15);

    $do->($id);
    POSIX::_exit(0);
}

sub decide {
    my ($subject, @words) = @_;

    return operator($subject, sub { cmpctl('request', @words, shift) });
}

sub enrol {
    my ($name, @more) = @_;

    return client('ir', '-ref', 'device1', '-secret', 'pass:insecure',
        '-subject', "/CN=$name", '-newkey', newkey('P-256'), '-certout',
        tmp("$name.pem"), @more);
}

# delayed delivery of whole messages is known to OpenSSL 3.3 and newer

sub new_client {
    my ($status, $out) = execute($ENV{TEST_CMP_OPENSSL} || 'openssl',
                                 'version');

    return 1 if $out =~ /^OpenSSL (?:3\.[3-9]|3\.\d\d|[4-9])/;
    return 0 if !-x 'build-deps/openssl-3.5/openssl';

    $ENV{TEST_CMP_OPENSSL} = 'build-deps/openssl-3.5/openssl';
    return 1;
}

run_tests();

__DATA__

=== ir: approved, delivered, confirmed
--- http_config eval: $main::manual
--- test
my $pid = main::decide('CN=poll-ir', 'approve', '--reason', 'known device');
my ($status, $out) = main::enrol('poll-ir');

waitpid($pid, 0);
is($status, 0, 'ir') or diag($out);
like($out, qr/received IP.*sending POLLREQ.*received IP/s, 'polled');
like($out, qr/sending CERTCONF.*received PKICONF/s, 'confirmed');
like($out, qr/an operator has to approve the request/, 'statusString');
is(sql("SELECT state FROM cmp.certificate WHERE subject = 'CN=poll-ir'"), 1,
   'valid');
is(sql("SELECT r.state || ' ' || r.requester || ' ' || r.client || ' '
    || r.profile || ' ' || (r.serial = c.serial) || ' ' || r.decided_by || ' '
    || r.reason FROM cmp.request r, cmp.certificate c
    WHERE r.subject = 'CN=poll-ir' AND c.subject = r.subject"),
   '4 mac:device1 127.0.0.1 device true ' . sql('SELECT session_user')
   . ' known device', 'the row tells it all');
is(sql("SELECT count(*) FROM cmp.waiting"), 0, 'the message is gone');
is(sql("SELECT string_agg(action || ':' || coalesce(status::text, ''), ' '
    ORDER BY id) FROM cmp.audit WHERE transaction_id = (SELECT transaction_id
    FROM cmp.request WHERE subject = 'CN=poll-ir')"),
   'ir:3 request approve: ir:0 certConf:0', 'the audit');



=== implicitConfirm of the first message is honoured
--- http_config eval: $main::manual
--- test
my $pid = main::decide('CN=poll-implicit', 'approve');
my ($status, $out) = main::enrol('poll-implicit', '-implicit_confirm');

waitpid($pid, 0);
is($status, 0, 'ir') or diag($out);
like($out, qr/sending POLLREQ/, 'polled');
unlike($out, qr/sending CERTCONF/, 'not confirmed');
is(sql("SELECT state FROM cmp.certificate WHERE subject = 'CN=poll-implicit'"),
   1, 'valid');



=== rejected: the client is told why
--- http_config eval: $main::manual
--- test
my $pid = main::decide('CN=poll-rejected', 'reject', '--reason',
                       'nobody knows this device');
my ($status, $out) = main::enrol('poll-rejected');

waitpid($pid, 0);
is($status, 1, 'refused');
like($out, qr/notAuthorized/, 'notAuthorized');
like($out, qr/nobody knows this device/, 'the reason');
is(sql("SELECT count(*) FROM cmp.certificate
        WHERE subject = 'CN=poll-rejected'"), 0, 'no certificate');



=== cr
--- http_config eval: $main::manual
--- test
my $pid = main::decide('CN=poll-cr', 'approve');
my ($status, $out) = client('cr', '-ref', 'device1', '-secret',
    'pass:insecure', '-subject', '/CN=poll-cr', '-newkey', newkey('P-256'),
    '-certout', tmp('cr.pem'));

waitpid($pid, 0);
is($status, 0, 'cr') or diag($out);
like($out, qr/sending POLLREQ.*received CP/s, 'polled');



=== p10cr
--- http_config eval: $main::manual
--- test
my ($status, $out) = execute('openssl', 'req', '-new', '-config', '/dev/null',
    '-subj', '/CN=poll-p10', '-key', newkey('P-256'), '-out', tmp('p10.csr'));
is($status, 0, 'PKCS#10') or diag($out);

my $pid = main::decide('CN=poll-p10', 'approve');

($status, $out) = client('p10cr', '-ref', 'device1', '-secret',
    'pass:insecure', '-csr', tmp('p10.csr'), '-certout', tmp('p10.pem'));

waitpid($pid, 0);
is($status, 0, 'p10cr') or diag($out);
like($out, qr/sending POLLREQ.*received CP/s, 'polled');



=== kur, signed: the old certificate is replaced at the end
--- http_config eval: $main::manual
--- test
my $key = newkey('P-256');
my $pid = main::decide('CN=poll-kur', 'approve');
my ($status, $out) = client('ir', '-ref', 'device1', '-secret',
    'pass:insecure', '-subject', '/CN=poll-kur', '-newkey', $key,
    '-certout', tmp('kur.pem'));

waitpid($pid, 0);
is($status, 0, 'ir') or diag($out);

$pid = main::decide('CN=poll-kur', 'approve');

($status, $out) = client('kur', '-cert', tmp('kur.pem'), '-key', $key,
    '-newkey', newkey('P-256'), '-certout', tmp('kur2.pem'));

waitpid($pid, 0);
is($status, 0, 'kur') or diag($out);
like($out, qr/sending POLLREQ.*received KUP/s, 'polled');
is(sql("SELECT string_agg(state || ' ' || replaced, ', ' ORDER BY serial)
        FROM cmp.certificate WHERE subject = 'CN=poll-kur'"),
   '1 true, 1 false', 'replaced');
is(sql("SELECT r.target = c.predecessor FROM cmp.request r, cmp.certificate c
        WHERE r.serial = c.serial AND c.predecessor IS NOT NULL"), 't',
   'an operator can see which one');



=== a vendor's certificate
--- http_config eval: $main::manual
--- test
my ($status, $out) = execute('openssl', 'x509', '-in',
    pki('vendor-device.pem'), '-noout', '-subject', '-nameopt',
    'compat,sname');
my ($subject) = $out =~ m{subject=\s*(\S.*)};
my $pid = main::decide('%', 'approve');

($status, $out) = client('ir', '-cert', pki('vendor-device.pem'), '-key',
    pki('vendor-device.key'), '-subject', $subject, '-newkey',
    newkey('P-256'), '-certout', tmp('vendor.pem'));

waitpid($pid, 0);
is($status, 0, 'ir') or diag($out);
like($out, qr/sending POLLREQ/, 'polled');
is(sql("SELECT count(*) FROM cmp.request WHERE requester LIKE 'vendor:%'"), 1,
   'requester');



=== a secret for one use is used when the request begins to wait
--- http_config eval: $main::manual
--- test
my $pid = main::decide('CN=poll-once', 'approve');
my ($status, $out) = client('ir', '-ref', 'once', '-secret', 'pass:insecure',
    '-subject', '/CN=poll-once', '-newkey', newkey('P-256'), '-certout',
    tmp('once.pem'));

waitpid($pid, 0);
is($status, 0, 'ir') or diag($out);
like($out, qr/sending POLLREQ.*sending CERTCONF/s, 'polled and confirmed');

($status, $out) = client('ir', '-ref', 'once', '-secret', 'pass:insecure',
    '-subject', '/CN=poll-twice', '-newkey', newkey('P-256'), '-certout',
    tmp('twice.pem'));
is($status, 1, 'not twice');
like($out, qr/notAuthorized/, 'notAuthorized');



=== a reload in between loses nothing
--- http_config eval: $main::manual
--- test
my $pid = main::operator('CN=poll-reload', sub {
    my ($id) = @_;

    kill 'HUP', nginx_pid();
    sleep(2);
    cmpctl('request', 'approve', $id);
});
# the old worker closes connections that are kept

my ($status, $out) = main::enrol('poll-reload', '-total_timeout', 25,
                                  '-keep_alive', 0);

waitpid($pid, 0);
is($status, 0, 'ir') or diag($out);
like($out, qr/sending POLLREQ/, 'polled');
sleep(1);



=== nobody decides: it expires
--- http_config eval
main::default_http_config(profile => 'approval manual;',
                          ca => 'check_after 1s; approval_timeout 2s;')
--- test
my ($status, $out) = main::enrol('poll-expired');

is($status, 1, 'refused');
like($out, qr/sending POLLREQ.*received POLLREP/s, 'polled');
like($out, qr/has expired before it was approved/, 'why');
like($out, qr/notAuthorized/, 'notAuthorized');
--- wait_sql
SELECT state = 3 FROM cmp.request WHERE subject = 'CN=poll-expired'



=== nobody asks any more: the sweeper ends it
--- http_config eval
main::default_http_config(profile => 'approval manual;',
                          ca => 'check_after 30s; approval_timeout 1s;')
--- test
my ($status, $out) = main::enrol('poll-swept', '-msg_timeout', 2,
                                 '-total_timeout', 2);

is($status, 1, 'gave up');
like($out, qr/received POLLREP/, 'polled');
--- wait_sql
SELECT count(*) = 1 FROM cmp.audit WHERE action = 'expire'
    AND text LIKE 'request % not decided in time'
    AND transaction_id = (SELECT transaction_id FROM cmp.request
                          WHERE subject = 'CN=poll-swept' AND state = 3)



=== rr: the whole message waits
--- http_config eval
main::default_http_config(profile => 'revocation_approval manual;',
                          ca => 'check_after 1s;')
--- test
local $ENV{TEST_CMP_OPENSSL} = $ENV{TEST_CMP_OPENSSL};

SKIP: {
    skip('no OpenSSL 3.3 or newer', 6) if !main::new_client();

    my $key = newkey('P-256');
    my ($status, $out) = client('ir', '-ref', 'device1', '-secret',
        'pass:insecure', '-subject', '/CN=poll-rr', '-newkey', $key,
        '-certout', tmp('rr.pem'));
    is($status, 0, 'ir, at once') or diag($out);

    my $pid = main::decide('CN=poll-rr', 'reject', '--reason', 'in use');
    ($status, $out) = client('rr', '-cert', tmp('rr.pem'), '-key', $key,
        '-oldcert', tmp('rr.pem'), '-revreason', 4);
    waitpid($pid, 0);
    isnt($status, 0, 'rejected');
    like($out, qr/in use/, 'why') or diag($out);

    $pid = main::decide('CN=poll-rr', 'approve');
    ($status, $out) = client('rr', '-cert', tmp('rr.pem'), '-key', $key,
        '-oldcert', tmp('rr.pem'), '-revreason', 4);
    waitpid($pid, 0);
    is($status, 0, 'rr') or diag($out);
    like($out, qr/sending POLLREQ.*received RP/s, 'polled');
    is(sql("SELECT c.state || ' ' || r.text FROM cmp.certificate c,
        cmp.request r WHERE c.subject = 'CN=poll-rr'
        AND r.target = c.serial AND r.state = 4"),
       '3 revoke, CRLReason 4', 'revoked');
}



=== genm: the whole message waits
--- http_config eval
main::default_http_config(ca => 'genm_approval manual; check_after 1s;')
--- test
local $ENV{TEST_CMP_OPENSSL} = $ENV{TEST_CMP_OPENSSL};

SKIP: {
    skip('no OpenSSL 3.3 or newer', 2) if !main::new_client();

    my $pid = main::decide('', 'approve');
    my ($status, $out) = client('genm', '-ref', 'device1', '-secret',
        'pass:insecure', '-infotype', 'caCerts', '-cacertsout',
        tmp('cacerts.pem'));

    waitpid($pid, 0);
    is($status, 0, 'genm') or diag($out);
    like($out, qr/sending POLLREQ.*received GENP/s, 'polled');
}



=== other settings
--- http_config eval
main::default_http_config(profile => 'approval sometimes;')
--- must_die
--- error_log
invalid value "sometimes"



=== limits
--- http_config eval
main::default_http_config(ca => 'check_after 0;')
--- must_die
--- error_log
"check_after" is 0, but has to be within
