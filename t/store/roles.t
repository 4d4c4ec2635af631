#!/usr/bin/perl

# Copyright (C) ngx_http_cmp_module contributors
#
# Who may do what in the database, and that the audit stays as it is.
#
# build: release

use strict;
use warnings;

use FindBin;
use lib "$FindBin::Bin/../lib";
use CMPStore;
use Test::More;

database();

for my $role (qw(cmp_operator cmp_auditor)) {
    sql("DROP ROLE IF EXISTS test_$role");
    value("CREATE ROLE test_$role LOGIN IN ROLE $role");
}

my @tables = split /\n/, value(
    "SELECT oid::regclass FROM pg_class WHERE relnamespace = 'cmp'::regnamespace"
    . " AND relkind IN ('r', 'p')");

cmp_ok(scalar @tables, '>', 15, 'there are tables');

# nginx: functions, no table, not even to read

my @failed;

for my $table (@tables) {
    for my $query ("SELECT * FROM $table LIMIT 1", "DELETE FROM $table",
                   "INSERT INTO $table DEFAULT VALUES", "TRUNCATE $table")
    {
        my ($status, $out) = sql($query, server());
        push @failed, "$query: $out" if $out !~ /permission denied/;
    }
}

is("@failed", '', 'cmp_server reads and writes no table');

my %server = map { $_ => 1 } qw(schema_version ca_register load commit sweep
                                crl_current crl_begin crl_entries crl_store
                                crl_due crl_put crl_read ocsp_status
                                ocsp_responder ocsp_responder_store
                                changes);

is(value("SELECT string_agg(DISTINCT proname, ' ' ORDER BY proname)"
         . " FROM pg_proc WHERE pronamespace = 'cmp'::regnamespace"
         . " AND has_function_privilege('cmp_server', oid, 'EXECUTE')"),
   join(' ', sort keys %server), 'cmp_server may execute what it needs');

is(value("SELECT string_agg(proname, ' ') FROM pg_proc"
         . " WHERE pronamespace = 'cmp'::regnamespace"
         . " AND has_function_privilege('public', oid, 'EXECUTE')"),
   '', 'everybody may execute nothing');

is(value("SELECT string_agg(proname, ' ') FROM pg_proc"
         . " WHERE pronamespace = 'cmp'::regnamespace AND prosecdef AND NOT"
         . " coalesce('search_path=pg_catalog, pg_temp' = ANY (proconfig),"
         . " false)"),
   '', 'every function with rights of the owner has its search_path');

is(value("SELECT string_agg(DISTINCT rolname, ' ') FROM pg_class c JOIN"
         . " pg_roles r ON r.oid = relowner"
         . " WHERE relnamespace = 'cmp'::regnamespace"),
   'cmp_owner', 'cmp_owner owns all');

is(value("SELECT rolsuper OR rolcanlogin FROM pg_roles"
         . " WHERE rolname = 'cmp_owner'"), 'f', 'which is nobody special');

is((sql('SELECT cmp.schema_version()', server()))[0], 0,
   'cmp_server calls a function');

like(value("SELECT cmp.change(now(), 1, '', 1, 2, 0, 0, NULL)", server()),
     qr/permission denied/, 'but no inner one');

like(value("SELECT cmp.certificate_change(NULL, '01', 'revoke')", server()),
     qr/permission denied/, 'and none of the operators');

like(value('CREATE TABLE cmp.mine (i int)', server()), qr/permission denied/,
     'cmp_server makes nothing');

# operators and auditors

my $secret = "'\\x" . '00' x 40 . "'";
my $operator = role('test_cmp_operator');
my $auditor = role('test_cmp_auditor');

like(value("SELECT cmp.credential_add('c', 'r', $secret)", $operator),
     qr/no server has registered.*^\d+$|^\d+.*no server/ms,
     'an operator adds a credential');
like(value("SELECT cmp.credential_add('c', 's', $secret)", $auditor),
     qr/permission denied/, 'an auditor does not');

is(value("SELECT reference || state FROM cmp.credential_list()", $auditor),
   'ractive', 'an auditor lists credentials');
like(value('SELECT secret FROM cmp.credential', $auditor),
     qr/permission denied/, 'an auditor sees no secret');
like(value('SELECT * FROM cmp.credential', $operator), qr/permission denied/,
     'nor does an operator');
is(value("SELECT convert_from(reference, 'UTF8') FROM cmp.credential",
         $auditor), 'r', 'but all the rest');
is(value("SELECT requester || ' ' || action || ' ' || text FROM cmp.audit",
         $auditor), 'operator:test_cmp_operator credential add r',
   'the audit names the operator');
like(value("SELECT cmp.certificate_change(NULL, '01', 'revoke')", $auditor),
     qr/permission denied/, 'an auditor revokes nothing');

for my $table (@tables) {
    for my $role ($operator, $auditor) {
        my $out = value("DELETE FROM $table", $role);
        push @failed, "$table: $out" if $out !~ /permission denied/;
    }
}

is("@failed", '', 'operators and auditors write no table');

# the audit

for my $query ('DELETE FROM cmp.audit', "UPDATE cmp.audit SET text = ''",
               'TRUNCATE cmp.audit')
{
    like(value($query), qr/the audit is never changed/, $query);
    like(value("SET ROLE cmp_owner; $query"), qr/the audit is never changed/,
         "$query, as its owner");
}

for my $table (grep { /audit_/ } @tables) {
    like(value("TRUNCATE $table"), qr/the audit is never changed/,
         "TRUNCATE $table");
}

is(value('SELECT count(*) FROM cmp.audit'), 1, 'it is still there');

# search_path: a table or function of a user's own is never taken

value('CREATE SCHEMA evil; GRANT ALL ON SCHEMA evil, public TO PUBLIC');

my $evil = 'SET search_path = evil, pg_catalog;';

value("$evil CREATE FUNCTION evil.sha256(bytea) RETURNS bytea LANGUAGE plpgsql"
      . " AS 'BEGIN RAISE EXCEPTION ''evil''; END'", server());
unlike(value("$evil SELECT cmp.load(1, repeat('x', 32)::bytea, NULL, NULL,"
             . " NULL, NULL, 'n', 's', NULL, NULL, NULL, NULL, 3, NULL)",
             server()),
       qr/evil/, 'functions of others are not called');

for my $role (qw(cmp_operator cmp_auditor)) {
    value("DROP OWNED BY test_$role; DROP ROLE test_$role");
}

done_testing();
