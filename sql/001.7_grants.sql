-- Copyright (C) ngx_http_cmp_module contributors
--
-- Who may do what: functions, and for auditors also tables, but never a
-- secret.  The last file of version 1; makes the first partitions too.

REVOKE ALL ON SCHEMA cmp FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA cmp FROM PUBLIC;
REVOKE ALL ON ALL SEQUENCES IN SCHEMA cmp FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA cmp FROM PUBLIC;

ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM PUBLIC;

GRANT USAGE ON SCHEMA cmp TO cmp_server, cmp_operator, cmp_auditor;

GRANT EXECUTE ON FUNCTION
    cmp.schema_version(),
    cmp.ca_register(text, bytea, int4),
    cmp.load(int4, bytea, bytea, bytea, bytea, bytea, bytea, bytea,
        bytea[], bytea[], bytea[], bytea[], int4, bytea[]),
    cmp.commit(int4, bytea, int4, int4, int4, int4, int8, bytea, bytea, bytea,
        bytea, bytea, bytea, int8, int8, bytea, bytea, int8, int8, bytea[],
        bytea[], int4[], int4[], bytea[], text[], bytea[], text[],
        bytea[], int4[], timestamptz[], timestamptz[], int8[], int4[],
        int4[], bytea[], int4[], int4[], int4[], int4[], timestamptz[], text[],
        int4[], int4[], bytea[], text[], text, text, int8, bytea, bytea[],
        bytea[], int4[], text[], bytea[], bytea[], bytea[], bytea[], text[],
        int8[], int4[], int4[], bytea[], int8[]),
    cmp.sweep(),
    cmp.ocsp_status(int4, bytea[], bool),
    cmp.ocsp_responder(int4, bytea, int4),
    cmp.ocsp_responder_store(int4, bytea, int4, bytea, bytea, bytea, bytea,
        text, bytea, text, timestamptz, timestamptz),
    cmp.changes(pg_snapshot),
    cmp.crl_current(int4, int4, bytea, bool, int8, int8, bool),
    cmp.crl_begin(int4, int4, bytea, bool),
    cmp.crl_entries(int4, int4, bool, int8, bytea),
    cmp.crl_store(int4, int4, bytea, bool, int4, int8, int8, int8, pg_snapshot,
        timestamptz, timestamptz, int4, bool, int4, bytea),
    cmp.crl_read(int4, int4, int8, int4),
    cmp.crl_put(int4, int4, int8, int4, bytea),
    cmp.crl_due(int4, bytea[], bool, int8, int8, bool)
TO cmp_server;

GRANT EXECUTE ON FUNCTION
    cmp.credential_add(text, bytea, bytea, text[], text, text[], int4,
        timestamptz, bool, bool, bool, bytea),
    cmp.credential_disable(text, bytea, bool),
    cmp.certificate_change(text, text, text, text, timestamptz),
    cmp.request_decide(int8, bool, text),
    cmp.rollover_set(text, bytea, bytea, bytea, bytea),
    cmp.rollover_cancel(text),
    cmp.crl_publish(text),
    cmp.crl_awaited(text)
TO cmp_operator;

GRANT EXECUTE ON FUNCTION
    cmp.schema_version(),
    cmp.ca_list(),
    cmp.rollover_show(text),
    cmp.credential_list(text, text),
    cmp.certificate_list(text, text, text, text, text, timestamptz,
        timestamptz, int4, text, text),
    cmp.certificate_show(text, text),
    cmp.request_list(text, text, text, int4),
    cmp.request_show(int8),
    cmp.audit_list(text, text, text, text, text, timestamptz, timestamptz,
        int4),
    cmp.crl_show(text, int4, int4, text),
    cmp.report_period(timestamptz, timestamptz),
    cmp.report_certificates(text, timestamptz),
    cmp.report_keys(text),
    cmp.report_activity(text, timestamptz, timestamptz),
    cmp.report_requests(text),
    cmp.report_crls(text),
    cmp.report_audit(text, timestamptz, timestamptz)
TO cmp_operator, cmp_auditor;

GRANT SELECT ON cmp.ca, cmp.certificate, cmp.revocation, cmp.crl, cmp.audit,
    cmp.request, cmp.rollover, cmp.schema_version
TO cmp_auditor;

GRANT SELECT (id, ca_id, reference, profiles, subject, sans, uses_left,
    not_after, disabled, may_revoke, token_needed, created_at, changed_at)
ON cmp.credential TO cmp_auditor;

GRANT SELECT (ca_id, number, not_after, key_id, serial)
ON cmp.ocsp_responder TO cmp_auditor;

SELECT cmp.create_partitions(now()),
       cmp.create_partitions(now() + interval '3 months');
