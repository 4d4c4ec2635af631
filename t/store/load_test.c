
/*
 * Copyright (C) ngx_http_cmp_module contributors
 *
 * LOAD against a real database: credentials and certificates are found in
 * every way that a message can name them, and nothing malformed gets through.
 */


#include <store_fixture.h>

#include <cmp_seal.h>
#include <openssl/sha.h>


static void
add_credential(store_t *s, const char *reference, const char *options)
{
    char                  sql[1024], hex[256];
    size_t                i;
    cmp_str_t             ca, ref, secret, sealed;
    static unsigned char  nonce[12];

    ca = store_str("test");
    ref = store_str(reference);
    secret = store_str("insecure");
    nonce[0]++;

    assert_int_equal(cmp_seal(s->pool, (const unsigned char *) STORE_KEY,
                              nonce, &ca, &ref, &secret, &sealed), CMP_OK);

    for (i = 0; i < sealed.len; i++) {
        snprintf(hex + 2 * i, 3, "%02x", sealed.data[i]);
    }

    snprintf(sql, sizeof(sql), "SELECT cmp.credential_add('test', '%s',"
             " '\\x%s'%s)", reference, hex, options);
    store_sql(s->admin, sql);
}


static void
test_credential(void **state)
{
    int64_t                  id;
    store_t                 *s = *state;
    const cmp_credential_t  *cred;

    store_reset(s);
    add_credential(s, "device1", ", '{a,b}', 'CN=d*', '{dns:*.example}',"
                   " 2, now() + interval '1 day', true");

    s->load.reference = store_str("device1");
    assert_int_equal(store_load(s), CMP_OK);
    cred = s->records.credential;
    assert_non_null(cred);
    assert_string_equal((char *) cred->secret.data, "insecure");
    assert_int_equal(cred->nprofiles, 2);
    assert_string_equal((char *) cred->profiles[1].data, "b");
    assert_string_equal((char *) cred->subject.data, "CN=d*");
    assert_int_equal(cred->nsans, 1);
    assert_string_equal((char *) cred->sans[0].data, "dns:*.example");
    assert_int_equal(cred->uses_left, 2);
    assert_true(cred->not_after > store_now() + 86000000);
    assert_int_equal(cred->disabled, 0);
    assert_int_equal(cred->may_revoke, 1);
    id = cred->id;

    /* both uses, then none is left */

    store_issue(s, "credential 1", CMP_CERT_UNCONFIRMED);
    s->writes.transaction.credential_id = id;
    s->writes.credential_use = id;
    s->cert.credential_id = id;
    store_must_commit(s);

    store_issue(s, "credential 2", CMP_CERT_VALID);
    s->writes.credential_use = id;
    store_must_commit(s);

    store_issue(s, "credential 3", CMP_CERT_VALID);
    s->writes.credential_use = id;
    assert_int_equal(store_commit(s), CMP_COMMIT_RACE);

    /* a certConf without senderKID finds the transaction's */

    s->load.reference.len = 0;
    s->load.transaction_id = store_id(s, "credential 1");
    assert_int_equal(store_load(s), CMP_OK);
    assert_int_equal(s->records.credential->id, id);
    assert_int_equal(s->records.credential->uses_left, 0);
    assert_int_equal(s->records.certificates[0].credential_id, id);

    /* any number of uses writes nothing */

    add_credential(s, "device2", "");
    store_reset(s);
    s->load.reference = store_str("device2");
    assert_int_equal(store_load(s), CMP_OK);
    assert_int_equal(s->records.credential->uses_left, -1);
    assert_int_equal(s->records.credential->not_after, 0);
    id = s->records.credential->id;

    store_issue(s, "credential 4", CMP_CERT_VALID);
    s->writes.credential_use = id;
    store_must_commit(s);

    /* disabled, expired, of another CA */

    store_sql(s->admin, "SELECT cmp.credential_disable('test', 'device2')");
    store_issue(s, "credential 5", CMP_CERT_VALID);
    s->writes.credential_use = id;
    assert_int_equal(store_commit(s), CMP_COMMIT_RACE);
    assert_int_equal(store_load(s), CMP_OK);
    assert_int_equal(s->records.credential->disabled, 1);

    store_sql(s->admin, "UPDATE cmp.credential SET disabled = false,"
              " not_after = now() - interval '1 s'");
    assert_int_equal(store_commit(s), CMP_COMMIT_RACE);

    store_sql(s->admin, "UPDATE cmp.credential SET not_after = NULL");
    s->writes.ca_id++;
    assert_int_equal(store_commit(s), CMP_COMMIT_RACE);
    s->writes.ca_id--;
    store_must_commit(s);

    s->load.ca_id++;
    assert_int_equal(store_load(s), CMP_OK);
    assert_null(s->records.credential);
}


/* registration tokens: by their hash, and never as a shared secret */

static void
test_token(void **state)
{
    char            sql[512];
    int64_t         id;
    store_t        *s = *state;
    cmp_str_t       hashes[2];
    unsigned char   hash[SHA256_DIGEST_LENGTH];

    store_reset(s);

    snprintf(sql, sizeof(sql), "SELECT cmp.credential_add('test', 'T1', NULL,"
             " '{a}', 'CN=d*', '{dns:*.example}', 1, NULL, false, false,"
             " false, sha256('a token'))");
    store_sql(s->admin, sql);

    (void) SHA256((const unsigned char *) "a token", 7, hash);
    hashes[0] = store_str("01234567890123456789012345678901");
    hashes[1].data = hash;
    hashes[1].len = sizeof(hash);

    s->load.token_hashes = hashes;
    s->load.ntoken_hashes = 2;
    s->load.reference = store_str("T1");
    assert_int_equal(store_load(s), CMP_OK);
    assert_null(s->records.credential);
    assert_int_equal(s->records.ntokens, 1);
    assert_memory_equal(s->records.tokens->token_hash.data, hash, 32);
    assert_int_equal(s->records.tokens->uses_left, 1);
    assert_int_equal(s->records.tokens->nprofiles, 1);
    assert_string_equal((char *) s->records.tokens->subject.data, "CN=d*");
    assert_int_equal(s->records.tokens->nsans, 1);
    id = s->records.tokens->id;

    /* of another CA */

    s->load.ca_id++;
    assert_int_equal(store_load(s), CMP_OK);
    assert_int_equal(s->records.ntokens, 0);
    s->load.ca_id--;

    /* one use, and nothing of a commit that comes too late */

    store_issue(s, "token 1", CMP_CERT_VALID);
    s->writes.token_uses = &id;
    s->writes.ntoken_uses = 1;
    store_must_commit(s);

    store_issue(s, "token 2", CMP_CERT_VALID);
    s->writes.token_uses = &id;
    s->writes.ntoken_uses = 1;
    assert_int_equal(store_commit(s), CMP_COMMIT_RACE);
    assert_int_equal(store_load(s), CMP_OK);
    assert_int_equal(s->records.tokens->uses_left, 0);

    s->writes.token_uses = NULL;
    s->writes.ntoken_uses = 0;
    s->load.token_hashes = NULL;
    s->load.ntoken_hashes = 0;
}


static void
test_seal(void **state)
{
    store_t  *s = *state;

    store_reset(s);
    add_credential(s, "sealed", "");
    s->load.reference = store_str("sealed");

    s->key = NULL;
    assert_int_equal(store_load(s), CMP_ERROR);
    assert_non_null(s->load_error);
    assert_null(s->records.credential);

    s->key = "fedcba9876543210fedcba9876543210";
    assert_int_equal(store_load(s), CMP_ERROR);
    assert_null(s->records.credential);

    /* moved to another reference */

    s->key = STORE_KEY;
    store_sql(s->admin, "UPDATE cmp.credential SET reference = 'moved'"
              " WHERE reference = 'sealed'");
    s->load.reference = store_str("moved");
    assert_int_equal(store_load(s), CMP_ERROR);
    assert_null(s->records.credential);
}


static void
test_signer(void **state)
{
    cmp_str_t  hash, serial, subject;
    store_t   *s = *state;

    store_reset(s);
    subject = store_bytes(s->pool, 90, "the subject");
    hash = store_bytes(s->pool, 32, "x");

    store_issue(s, "signer", CMP_CERT_VALID);
    SHA256(subject.data, subject.len, s->cert.subject_hash.data);
    store_must_commit(s);
    serial = s->cert.serial;
    SHA256(s->cert.der.data, s->cert.der.len, hash.data);

    s->load.signer_hash = hash;
    s->load.signer_serial = serial;
    assert_int_equal(store_load(s), CMP_OK);
    assert_non_null(s->records.signer);
    assert_str_equal(&s->records.signer->serial, &serial);

    /* the same serial number in another certificate */

    s->load.signer_hash = store_bytes(s->pool, 32, "another");
    assert_int_equal(store_load(s), CMP_OK);
    assert_null(s->records.signer);

    /* by name and SKI */

    s->load.signer_hash.len = 0;
    s->load.signer_serial.len = 0;
    s->load.signer_subject = subject;
    s->load.signer_ski = s->cert.key_hash;
    s->load.signer_ski.len = CMP_SKI_LEN;
    assert_int_equal(store_load(s), CMP_OK);
    assert_non_null(s->records.signer);
    assert_str_equal(&s->records.signer->serial, &serial);

    s->load.signer_ski = store_bytes(s->pool, 20, "another");
    assert_int_equal(store_load(s), CMP_OK);
    assert_null(s->records.signer);

    s->load.signer_ski = s->cert.key_hash;
    s->load.signer_ski.len = 8;
    assert_int_equal(store_load(s), CMP_OK);
    assert_null(s->records.signer);

    s->load.signer_ski.len = CMP_SKI_LEN;
    s->load.signer_subject = store_bytes(s->pool, 90, "another");
    assert_int_equal(store_load(s), CMP_OK);
    assert_null(s->records.signer);

    /* an unconfirmed update that keeps the key does not take its place */

    store_issue(s, "signer 2", CMP_CERT_UNCONFIRMED);
    SHA256(subject.data, subject.len, s->cert.subject_hash.data);
    s->cert.key_hash = store_bytes(s->pool, 32, "key signer");
    s->cert.key_version = 1;
    s->cert.predecessor = serial;
    s->cert.predecessor_version = 1;
    s->writes.transaction.kind = CMP_PROTECTION_SIGNATURE;
    s->writes.transaction.signer_hash = hash;
    s->writes.transaction.signer_serial = serial;
    s->writes.transaction.signer = store_bytes(s->pool, 700, "der signer");
    store_must_commit(s);

    s->load.signer_subject = subject;
    assert_int_equal(store_load(s), CMP_OK);
    assert_str_equal(&s->records.signer->serial, &serial);

    /* its successor comes with it */

    assert_int_equal(s->records.ncertificates, 1);
    assert_str_equal(&s->records.certificates[0].serial, &s->cert.serial);

    /* the transaction's, when the message has no certificate */

    store_reset(s);
    s->load.transaction_id = store_id(s, "signer 2");
    assert_int_equal(store_load(s), CMP_OK);
    assert_non_null(s->records.signer);
    assert_int_equal(s->records.transaction->kind, CMP_PROTECTION_SIGNATURE);
    assert_int_equal(s->records.transaction->signer.len, 700);
    assert_str_equal(&s->records.transaction->signer_serial,
                     &s->records.signer->serial);
}


static void
test_names(void **state)
{
    cmp_str_t        subject, serial;
    store_t         *s = *state;
    cmp_load_name_t  name;

    store_reset(s);
    subject = store_bytes(s->pool, 90, "names");

    store_issue(s, "names", CMP_CERT_VALID);
    SHA256(subject.data, subject.len, s->cert.subject_hash.data);
    store_must_commit(s);
    serial = s->cert.serial;

    name.subject = subject;
    name.key_hash = s->cert.key_hash;
    s->load.names = &name;
    s->load.nnames = 1;
    assert_int_equal(store_load(s), CMP_OK);
    assert_int_equal(s->records.ncertificates, 1);
    assert_str_equal(&s->records.certificates[0].serial, &serial);
    assert_int_equal(s->records.nkeys, 0);

    name.subject = store_bytes(s->pool, 90, "other");
    assert_int_equal(store_load(s), CMP_OK);
    assert_int_equal(s->records.ncertificates, 0);

    name.subject = subject;
    name.key_hash = store_bytes(s->pool, 32, "other");
    assert_int_equal(store_load(s), CMP_OK);
    assert_int_equal(s->records.ncertificates, 0);

    /* all certificates that fit, each once */

    store_issue(s, "names 2", CMP_CERT_VALID);
    SHA256(subject.data, subject.len, s->cert.subject_hash.data);
    s->cert.key_hash = store_bytes(s->pool, 32, "key names");
    s->cert.key_version = 1;
    store_must_commit(s);

    name.key_hash = s->cert.key_hash;
    s->load.serials = &serial;
    s->load.nserials = 1;
    s->load.key_hashes = &name.key_hash;
    s->load.nkey_hashes = 1;
    assert_int_equal(store_load(s), CMP_OK);
    assert_int_equal(s->records.ncertificates, 2);
    assert_int_equal(s->records.nkeys, 1);
}


static void
test_wanted(void **state)
{
    store_t  *s = *state;

    store_reset(s);
    store_sql(s->admin, "TRUNCATE cmp.crl");
    store_sql(s->admin, "SELECT cmp.rollover_set('test', 'new', 'nwo', NULL,"
              " 'old')");
    store_sql(s->admin, "INSERT INTO cmp.crl (ca_id, number, replaces,"
              " this_update, next_update, key_id, snapshot, der) SELECT id, 1,"
              " 0, '2027-01-01 00:00:00.25+00', '2027-01-02', 'key',"
              " '1:1:', 'crl 1' FROM cmp.ca WHERE name = 'test'");
    store_sql(s->admin, "INSERT INTO cmp.crl (ca_id, number, replaces,"
              " this_update, next_update, key_id, snapshot, der) SELECT id, 2,"
              " 1, '2027-01-03 00:00:00.25+00', '2027-01-04', 'key',"
              " '1:1:', 'crl 2' FROM cmp.ca WHERE name = 'test'");

    /* others than the one that is wanted */

    store_sql(s->admin, "INSERT INTO cmp.crl (ca_id, partition, number, base,"
              " delta, previous, this_update, next_update, key_id, snapshot,"
              " der) SELECT id, n.p, 3 + n.i, n.b, n.b IS NOT NULL, n.i,"
              " '2027-01-05', '2027-01-06', ('key' || n.i)::bytea,"
              " '1:1:', 'other'"
              " FROM cmp.ca, (VALUES (1, NULL, 0), (0, 2, 0), (0, NULL, 1))"
              " AS n (p, b, i) WHERE name = 'test'");

    assert_int_equal(store_load(s), CMP_OK);
    assert_null(s->records.rollover);
    assert_int_equal(s->records.crl.len, 0);

    s->load.want = CMP_WANT_ROLLOVER;
    assert_int_equal(store_load(s), CMP_OK);
    assert_non_null(s->records.rollover);
    assert_string_equal((char *) s->records.rollover->new_with_new.data,
                        "new");
    assert_string_equal((char *) s->records.rollover->new_with_old.data,
                        "nwo");
    assert_int_equal(s->records.rollover->old_with_new.len, 0);
    assert_string_equal((char *) s->records.rollover->old_root.data, "old");
    assert_int_equal(s->records.crl.len, 0);

    s->load.want = CMP_WANT_CRL;
    assert_int_equal(store_load(s), CMP_OK);
    assert_null(s->records.rollover);
    assert_string_equal((char *) s->records.crl.data, "crl 2");
    assert_int_equal(s->records.crl_this_update, 1798934400250);

    s->load.ca_id++;
    s->load.want = CMP_WANT_ROLLOVER|CMP_WANT_CRL;
    assert_int_equal(store_load(s), CMP_OK);
    assert_null(s->records.rollover);
    assert_int_equal(s->records.crl.len, 0);
    s->load.ca_id--;

    /* for a pollReq only when it is about a genm */

    store_issue(s, "wanted", CMP_CERT_VALID);
    store_must_commit(s);

    s->load.transaction_id = store_id(s, "wanted");
    s->load.want = CMP_WANT_ROLLOVER|CMP_WANT_CRL|CMP_WANT_WAITING;
    assert_int_equal(store_load(s), CMP_OK);
    assert_null(s->records.rollover);
    assert_int_equal(s->records.crl.len, 0);

    store_sql(s->admin, "UPDATE cmp.transaction SET body = 21,"
              " wait_until = now()"
              " WHERE id = substr(sha256('id wanted'), 1, 16)");
    assert_int_equal(store_load(s), CMP_OK);
    assert_non_null(s->records.rollover);
    assert_string_equal((char *) s->records.crl.data, "crl 2");

    store_sql(s->admin, "SELECT cmp.rollover_cancel('test')");
    store_sql(s->admin, "DELETE FROM cmp.crl");
    assert_int_equal(store_load(s), CMP_OK);
    assert_null(s->records.rollover);
    assert_int_equal(s->records.crl.len, 0);
}


static void
test_limits(void **state)
{
    cmp_str_t   strings[CMP_PG_MAX_ELEMENTS + 1];
    size_t      i;
    store_t    *s = *state;

    store_reset(s);

    for (i = 0; i <= CMP_PG_MAX_ELEMENTS; i++) {
        strings[i] = store_bytes(s->pool, 20, "limit");
    }

    s->load.request_hash = store_bytes(s->pool, 32, "limit");
    s->load.serials = strings;
    s->load.nserials = CMP_PG_MAX_ELEMENTS + 1;
    assert_int_equal(cmp_pg_load_send(s->server.conn, &s->load), CMP_ERROR);

    s->load.nserials--;
    assert_int_equal(store_load(s), CMP_OK);

    /* times beyond what a certificate can say */

    store_issue(s, "limits", CMP_CERT_VALID);
    s->cert.not_after = INT64_MAX;
    assert_int_equal(cmp_pg_commit_send(s->server.conn, &s->writes),
                     CMP_ERROR);

    s->cert.not_after = 253402300799000;
    store_must_commit(s);

    /* values that are not what they should be */

    store_issue(s, "limits 2", CMP_CERT_VALID);
    s->cert.subject_hash.len = 31;
    assert_int_equal(store_commit(s), CMP_COMMIT_UNAVAILABLE);

    store_issue(s, "limits 2", 4);
    assert_int_equal(store_commit(s), CMP_COMMIT_UNAVAILABLE);
}


/* whatever comes from the database, nothing breaks */

static void
test_malformed(void **state)
{
    int             i, field, len;
    unsigned        seed;
    char           *value;
    PGresult       *res;
    store_t        *s = *state;
    cmp_str_t       ca;
    cmp_pg_load_t   ctx;

    store_reset(s);
    ca = store_str("test");
    seed = 1;

    s->load.transaction_id = store_id(s, "signer 2");
    s->load.reference = store_str("device2");
    s->load.key_hashes = &s->cert.key_hash;
    s->load.nkey_hashes = 1;
    s->cert.key_hash = store_bytes(s->pool, 32, "key signer");
    assert_int_equal(store_load(s), CMP_OK);
    assert_non_null(s->records.transaction);
    assert_non_null(s->records.credential);
    assert_non_null(s->records.signer);
    assert_int_equal(s->records.nkeys, 1);

    for (i = 0; i < 20000; i++) {
        res = PQcopyResult(s->server.res,
                           PG_COPYRES_ATTRS | PG_COPYRES_TUPLES);
        assert_non_null(res);

        field = rand_r(&seed) % PQnfields(res);
        len = PQgetlength(res, 0, field);
        value = PQgetvalue(res, 0, field);

        if (len > 0) {
            if (i % 8 == 0) {
                assert_int_equal(PQsetvalue(res, 0, field, value,
                                            rand_r(&seed) % len), 1);

            } else {
                value[rand_r(&seed) % (len < 64 ? len : 64)] = rand_r(&seed);
            }
        }

        memset(&ctx, 0, sizeof(ctx));
        ctx.load = &s->load;
        ctx.ca = &ca;
        ctx.key = (const unsigned char *) STORE_KEY;
        ctx.pool = cmp_pool_create();
        ctx.records = &s->records;

        if (cmp_pg_load_result(&ctx, res) != CMP_OK) {
            assert_non_null(ctx.error);
            assert_null(s->records.transaction);
        }

        cmp_pool_destroy(ctx.pool);
        PQclear(res);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_credential),
        cmocka_unit_test(test_token),
        cmocka_unit_test(test_seal),
        cmocka_unit_test(test_signer),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_wanted),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_malformed)
    };

    cmocka_set_message_output(CM_OUTPUT_TAP);

    return cmocka_run_group_tests(tests, store_setup, store_teardown);
}
