
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * COMMIT: what an exchange writes, as the parameters of cmp.commit().
 */


#include <cmp_pg_local.h>

#include <stddef.h>


#define cmp_pg_write(as, member)   { as, offsetof(cmp_writes_t, member) }
#define cmp_pg_cert(as, member)    { as, offsetof(cmp_write_cert_t, member) }
#define cmp_pg_change(as, member)  { as, offsetof(cmp_write_change_t, member) }
#define cmp_pg_audit(as, member)   { as, offsetof(cmp_write_audit_t, member) }

#define cmp_pg_request(as, member)                                            \
    { as, offsetof(cmp_write_request_t, member) }
#define cmp_pg_answer(as, member)  { as, offsetof(cmp_write_answer_t, member) }

#define cmp_pg_members(members)                                               \
    members, sizeof(members) / sizeof(cmp_pg_member_t)


/* in the order of the parameters */

static const cmp_pg_member_t  cmp_pg_commit_scalars[] = {
    cmp_pg_write(CMP_PG_AS_INT4, ca_id),
    cmp_pg_write(CMP_PG_AS_BYTES, transaction.id),
    cmp_pg_write(CMP_PG_AS_INT4, transaction.version),
    cmp_pg_write(CMP_PG_AS_INT4, transaction.state),
    cmp_pg_write(CMP_PG_AS_INT4, transaction.body),
    cmp_pg_write(CMP_PG_AS_INT4, transaction.kind),
    cmp_pg_write(CMP_PG_AS_ID, transaction.credential_id),
    cmp_pg_write(CMP_PG_AS_BYTES, transaction.signer_hash),
    cmp_pg_write(CMP_PG_AS_BYTES, transaction.signer_serial),
    cmp_pg_write(CMP_PG_AS_BYTES, transaction.signer),
    cmp_pg_write(CMP_PG_AS_BYTES, transaction.protection_alg),
    cmp_pg_write(CMP_PG_AS_BYTES, transaction.sender_nonce),
    cmp_pg_write(CMP_PG_AS_BYTES, nonce),
    cmp_pg_write(CMP_PG_AS_INT8, confirm_timeout),
    cmp_pg_write(CMP_PG_AS_INT8, transaction_memory),
    cmp_pg_write(CMP_PG_AS_BYTES, request_hash),
    cmp_pg_write(CMP_PG_AS_BYTES, reply),
    cmp_pg_write(CMP_PG_AS_INT8, reply_memory),
    cmp_pg_write(CMP_PG_AS_ID, credential_use)
};

static const cmp_pg_member_t  cmp_pg_commit_certs[] = {
    cmp_pg_cert(CMP_PG_AS_BYTES, serial),
    cmp_pg_cert(CMP_PG_AS_BYTES, der),
    cmp_pg_cert(CMP_PG_AS_INT4, cert_req_id),
    cmp_pg_cert(CMP_PG_AS_INT4, state),
    cmp_pg_cert(CMP_PG_AS_BYTES, subject_hash),
    cmp_pg_cert(CMP_PG_AS_TEXT, subject_text),
    cmp_pg_cert(CMP_PG_AS_BYTES, key_hash),
    cmp_pg_cert(CMP_PG_AS_TEXT, profile),
    cmp_pg_cert(CMP_PG_AS_BYTES, predecessor),
    cmp_pg_cert(CMP_PG_AS_INT4, predecessor_version),
    cmp_pg_cert(CMP_PG_AS_TIME, not_before),
    cmp_pg_cert(CMP_PG_AS_TIME, not_after),
    cmp_pg_cert(CMP_PG_AS_ID, credential_id),
    cmp_pg_cert(CMP_PG_AS_INT4, key_version),
    cmp_pg_cert(CMP_PG_AS_INT4, partition)
};

static const cmp_pg_member_t  cmp_pg_commit_changes[] = {
    cmp_pg_change(CMP_PG_AS_BYTES, serial),
    cmp_pg_change(CMP_PG_AS_INT4, version),
    cmp_pg_change(CMP_PG_AS_INT4, action),
    cmp_pg_change(CMP_PG_AS_INT4, reason),
    cmp_pg_change(CMP_PG_AS_INT4, by),
    cmp_pg_change(CMP_PG_AS_TIME, invalidity)
};

static const cmp_pg_member_t  cmp_pg_commit_audits[] = {
    cmp_pg_audit(CMP_PG_AS_TEXT, action),
    cmp_pg_audit(CMP_PG_AS_INT4, status),
    cmp_pg_audit(CMP_PG_AS_INT4, fail_info),
    cmp_pg_audit(CMP_PG_AS_BYTES, serial),
    cmp_pg_audit(CMP_PG_AS_TEXT, text)
};

static const cmp_pg_member_t  cmp_pg_commit_who[] = {
    cmp_pg_write(CMP_PG_AS_TEXT, requester),
    cmp_pg_write(CMP_PG_AS_TEXT, client)
};

static const cmp_pg_member_t  cmp_pg_commit_waiting[] = {
    cmp_pg_write(CMP_PG_AS_ID, approval_timeout),
    cmp_pg_write(CMP_PG_AS_BYTES, message)
};

static const cmp_pg_member_t  cmp_pg_commit_ids[] = {
    { CMP_PG_AS_ID, 0 }
};

static const cmp_pg_member_t  cmp_pg_commit_strings[] = {
    { CMP_PG_AS_BYTES, 0 }
};

/* subject and SANs whole, however long: an operator has to see all of them */

static const cmp_pg_member_t  cmp_pg_commit_requests[] = {
    cmp_pg_request(CMP_PG_AS_INT4, cert_req_id),
    cmp_pg_request(CMP_PG_AS_TEXT, profile),
    cmp_pg_request(CMP_PG_AS_BYTES, subject),
    cmp_pg_request(CMP_PG_AS_BYTES, sans),
    cmp_pg_request(CMP_PG_AS_BYTES, key_hash),
    cmp_pg_request(CMP_PG_AS_BYTES, serial),
    cmp_pg_request(CMP_PG_AS_TEXT, text)
};

static const cmp_pg_member_t  cmp_pg_commit_answers[] = {
    cmp_pg_answer(CMP_PG_AS_ID, id),
    cmp_pg_answer(CMP_PG_AS_INT4, version),
    cmp_pg_answer(CMP_PG_AS_INT4, state),
    cmp_pg_answer(CMP_PG_AS_BYTES, serial)
};


int
cmp_pg_commit_send(PGconn *conn, const cmp_writes_t *writes)
{
    cmp_pg_params_t  params;

    cmp_pg_params_init(&params);

    cmp_pg_param_members(&params, cmp_pg_members(cmp_pg_commit_scalars),
                         writes);
    cmp_pg_param_arrays(&params, cmp_pg_members(cmp_pg_commit_certs),
                        writes->certs, writes->ncerts,
                        sizeof(cmp_write_cert_t));
    cmp_pg_param_arrays(&params, cmp_pg_members(cmp_pg_commit_changes),
                        writes->changes, writes->nchanges,
                        sizeof(cmp_write_change_t));
    cmp_pg_param_arrays(&params, cmp_pg_members(cmp_pg_commit_audits),
                        writes->audits, writes->naudits,
                        sizeof(cmp_write_audit_t));
    cmp_pg_param_members(&params, cmp_pg_members(cmp_pg_commit_who), writes);

    cmp_pg_param_members(&params, cmp_pg_members(cmp_pg_commit_waiting),
                         writes);
    cmp_pg_param_arrays(&params, cmp_pg_members(cmp_pg_commit_strings),
                        writes->serials, writes->nserials, sizeof(cmp_str_t));
    cmp_pg_param_arrays(&params, cmp_pg_members(cmp_pg_commit_strings),
                        writes->key_hashes, writes->nkey_hashes,
                        sizeof(cmp_str_t));
    cmp_pg_param_arrays(&params, cmp_pg_members(cmp_pg_commit_requests),
                        writes->requests, writes->nrequests,
                        sizeof(cmp_write_request_t));
    cmp_pg_param_arrays(&params, cmp_pg_members(cmp_pg_commit_answers),
                        writes->answers, writes->nanswers,
                        sizeof(cmp_write_answer_t));
    cmp_pg_param_arrays(&params, cmp_pg_members(cmp_pg_commit_ids),
                        writes->token_uses, writes->ntoken_uses,
                        sizeof(int64_t));

    return cmp_pg_params_send(&params, conn, CMP_PG_STMT_COMMIT);
}


cmp_commit_e
cmp_pg_commit_outcome(const char *sqlstate)
{
    size_t  i;

    static const char  *races[] = {
        "CM001",        /* a version or state is not the expected one */
        "23505",        /* unique_violation */
        "40001",        /* serialization_failure */
        "40P01"         /* deadlock_detected */
    };

    if (sqlstate[0] == '\0') {
        return CMP_COMMIT_OK;
    }

    for (i = 0; i < sizeof(races) / sizeof(races[0]); i++) {
        if (strcmp(sqlstate, races[i]) == 0) {
            return CMP_COMMIT_RACE;
        }
    }

    return CMP_COMMIT_UNAVAILABLE;
}
