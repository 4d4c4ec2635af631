-- Copyright (C) ngx_http_cmp_module contributors
--
-- What nginx reads.  STABLE functions see one snapshot, that of the statement
-- that calls them.  force_generic_plan: with partitions the planner would
-- otherwise plan each statement anew each time.

CREATE FUNCTION cmp.schema_version() RETURNS int4
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT max(version) FROM cmp.schema_version
$$;


-- p_partitions: of the CRLs of certificates that are issued from now on

CREATE FUNCTION cmp.ca_register(p_name text, p_certificate bytea,
    p_partitions int4 DEFAULT 0) RETURNS int4
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_id    int4;
BEGIN
    SELECT a.id INTO v_id FROM cmp.ca a
    WHERE a.name = p_name AND a.certificate = p_certificate
        AND a.partitions >= p_partitions;

    IF FOUND THEN
        RETURN v_id;
    END IF;

    INSERT INTO cmp.ca AS a (name, certificate, partitions)
    VALUES (p_name, p_certificate, p_partitions)
    ON CONFLICT (name) DO UPDATE
        SET certificate = excluded.certificate,
            partitions = greatest(a.partitions, excluded.partitions),
            changed_at = now()
    RETURNING a.id INTO v_id;

    RETURN v_id;
END
$$;


-- The rows that cmp.load() gives.  The fields are read in this order by
-- src/store/cmp_pg_load.c.

CREATE TYPE cmp.load_transaction AS (
    id              bytea,
    ca_id           int4,
    version         int4,
    state           int4,
    body            int4,
    kind            int4,
    credential_id   int8,
    signer_hash     bytea,
    signer_serial   bytea,
    signer          bytea,
    protection_alg  bytea,
    sender_nonce    bytea,
    nonces          bytea[],
    confirm_before  timestamptz
);

CREATE TYPE cmp.load_credential AS (
    id              int8,
    reference       bytea,
    secret          bytea,
    profiles        text[],
    subject         text,
    sans            text[],
    uses_left       int4,
    not_after       timestamptz,
    disabled        bool,
    may_revoke      bool,
    token_hash      bytea,
    token_needed    bool
);

CREATE TYPE cmp.load_certificate AS (
    serial          bytea,
    der             bytea,
    transaction_id  bytea,
    cert_req_id     int4,
    version         int4,
    state           int4,
    reason          int4,
    hold_by         int4,
    revoked_at      timestamptz,
    credential_id   int8,
    profile         text,
    key_hash        bytea,
    subject_hash    bytea,
    predecessor     bytea,
    successor       bytea,
    used            bool,
    replaced        bool,
    retired         bool
);

CREATE TYPE cmp.load_key AS (
    key_hash        bytea,
    subject_hash    bytea,
    serial          bytea,
    version         int4,
    confirmed       bool,
    compromised     bool
);


CREATE TYPE cmp.load_waiting AS (
    id              int8,
    version         int4,
    state           int4,
    cert_req_id     int4,
    profile         text,
    reason          text,
    expires         timestamptz
);


CREATE TYPE cmp.load_rollover AS (
    new_with_new    bytea,
    new_with_old    bytea,
    old_with_new    bytea,
    old_root        bytea
);


-- one certificate, all NULL when there is none

CREATE FUNCTION cmp.load_one(p_ca int4, p_serial bytea)
RETURNS cmp.load_certificate
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_cert  cmp.load_certificate;
BEGIN
    SELECT c.serial, c.der, c.transaction_id, c.cert_req_id, c.version,
           c.state, 0, 0, NULL, c.credential_id, c.profile, c.key_hash,
           c.subject_hash, c.predecessor, c.successor, c.used, c.replaced,
           c.retired
    INTO v_cert
    FROM cmp.certificate c
    WHERE c.serial = p_serial AND c.ca_id = p_ca;

    IF v_cert.state >= 2 THEN
        SELECT r.reason, CASE r.state WHEN 2 THEN r.by ELSE 0 END, r.revoked_at
        INTO v_cert.reason, v_cert.hold_by, v_cert.revoked_at
        FROM cmp.revocation r
        WHERE r.ca_id = p_ca AND r.serial = p_serial;
    END IF;

    RETURN v_cert;
END
$$;


-- The serials of all certificates with this key and subject, the latest
-- first.  The few certificates of one key form a chain.

CREATE FUNCTION cmp.load_chain(p_ca int4, p_serial bytea,
    p_subject_hash bytea) RETURNS bytea[]
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_chain     bytea[] := '{}';
    v_serial    bytea := p_serial;
    v_subject   bytea;
    v_previous  bytea;
BEGIN
    FOR i IN 1 .. 16 LOOP
        EXIT WHEN v_serial IS NULL;

        SELECT c.subject_hash, c.key_previous INTO v_subject, v_previous
        FROM cmp.certificate c
        WHERE c.serial = v_serial AND c.ca_id = p_ca;

        EXIT WHEN NOT FOUND;

        IF v_subject = p_subject_hash THEN
            v_chain := v_chain || v_serial;
        END IF;

        v_serial := v_previous;
    END LOOP;

    RETURN v_chain;
END
$$;


-- A signer by name and SKI: of the certificates that fit the latest that is
-- valid or on hold, else the latest.

CREATE FUNCTION cmp.load_signer(p_ca int4, p_subject bytea, p_ski bytea)
RETURNS cmp.load_certificate
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_hash      bytea := sha256(p_subject);
    v_latest    bytea;
    v_serial    bytea;
    v_cert      cmp.load_certificate;
    v_found     cmp.load_certificate;
BEGIN
    SELECT k.serial INTO v_latest FROM cmp.key k
    WHERE k.ca_id = p_ca AND k.key_id = substr(p_ski, 1, 16)
        AND k.subject_hash = v_hash;

    FOREACH v_serial IN ARRAY cmp.load_chain(p_ca, v_latest, v_hash) LOOP
        v_cert := cmp.load_one(p_ca, v_serial);

        IF v_cert.state IN (1, 2) THEN
            RETURN v_cert;
        END IF;

        IF v_found.serial IS NULL THEN
            v_found := v_cert;
        END IF;
    END LOOP;

    RETURN v_found;
END
$$;


-- Everything that one message needs, see cmp_load_t and cmp_records_t in
-- src/core/cmp_store.h.  NULL asks for nothing.

CREATE FUNCTION cmp.load(
    p_ca                int4,
    p_request_hash      bytea,
    p_transaction_id    bytea,
    p_reference         bytea,
    p_signer_hash       bytea,
    p_signer_serial     bytea,
    p_signer_subject    bytea,
    p_signer_ski        bytea,
    p_serials           bytea[],
    p_subjects          bytea[],        -- with p_subject_keys
    p_subject_keys      bytea[],
    p_keys              bytea[],
    p_want              int4,           -- CMP_WANT_... in cmp_store.h
    p_tokens            bytea[],        -- SHA-256 of regTokens
    OUT now             timestamptz,
    OUT reply           bytea,
    OUT transaction     cmp.load_transaction,
    OUT credential      cmp.load_credential,
    OUT signer          cmp.load_certificate,
    OUT certificates    cmp.load_certificate[],
    OUT keys            cmp.load_key[],
    OUT waiting         cmp.load_waiting[],
    OUT message         bytea,
    OUT rollover        cmp.load_rollover,
    OUT crl             bytea,
    OUT crl_this_update timestamptz,
    OUT tokens          cmp.load_credential[])
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_tx        cmp.transaction;
    v_cred      cmp.load_credential;
    v_cert      cmp.load_certificate;
    v_key       cmp.load_key;
    v_serials   bytea[] := '{}';
    v_named     int4;
    v_at        int4;
    v_serial    bytea;
BEGIN
    now := clock_timestamp();

    IF p_transaction_id IS NOT NULL THEN
        SELECT * INTO v_tx FROM cmp.transaction t
        WHERE t.id = p_transaction_id;

        v_at := array_position(v_tx.request_hashes, p_request_hash);

        IF v_at IS NOT NULL THEN
            SELECT r.reply INTO reply FROM cmp.reply r
            WHERE r.slot = v_tx.reply_slots[v_at]
                AND r.request_hash = p_request_hash
            ORDER BY r.expires_at DESC LIMIT 1;

            IF FOUND THEN
                RETURN;
            END IF;
        END IF;

        IF v_tx.id IS NOT NULL THEN
            transaction := ROW(v_tx.id, v_tx.ca_id, v_tx.version, v_tx.state,
                v_tx.body, v_tx.kind, v_tx.credential_id, v_tx.signer_hash,
                v_tx.signer_serial, v_tx.signer, v_tx.protection_alg,
                v_tx.sender_nonce, array_remove(v_tx.nonces, NULL),
                v_tx.confirm_before);

            IF v_tx.ca_id = p_ca THEN
                v_serials := v_tx.serials;

                IF v_tx.wait_until IS NOT NULL THEN
                    SELECT w.message, v_serials || w.serials, p_keys || w.keys
                    INTO message, v_serials, p_keys
                    FROM cmp.waiting w WHERE w.transaction_id = v_tx.id;

                    IF NOT FOUND THEN
                        v_serials := v_tx.serials;
                    END IF;

                    waiting := ARRAY(
                        SELECT ROW(r.id, r.version, r.state, r.cert_req_id,
                                   r.profile, r.reason, r.expires_at
                                  )::cmp.load_waiting
                        FROM cmp.request r
                        WHERE r.transaction_id = v_tx.id AND NOT r.answered
                        ORDER BY r.cert_req_id);
                END IF;
            END IF;
        END IF;

    ELSE
        -- the ID was ours, the bytes are all there is to know it by

        SELECT r.reply INTO reply FROM cmp.reply r
        WHERE r.request_hash = p_request_hash
        ORDER BY r.expires_at DESC LIMIT 1;

        IF FOUND THEN
            RETURN;
        END IF;
    END IF;

    IF p_reference IS NOT NULL THEN
        SELECT d.id, d.reference, d.secret, d.profiles, d.subject, d.sans,
               d.uses_left, d.not_after, d.disabled, d.may_revoke, NULL,
               d.token_needed
        INTO v_cred
        FROM cmp.credential d
        WHERE d.ca_id = p_ca AND d.reference = p_reference
            AND d.secret IS NOT NULL;

    ELSIF v_tx.credential_id IS NOT NULL THEN
        SELECT d.id, d.reference, d.secret, d.profiles, d.subject, d.sans,
               d.uses_left, d.not_after, d.disabled, d.may_revoke, NULL,
               d.token_needed
        INTO v_cred
        FROM cmp.credential d
        WHERE d.id = v_tx.credential_id AND d.ca_id = p_ca
            AND d.secret IS NOT NULL;
    END IF;

    credential := v_cred;

    IF p_tokens IS NOT NULL THEN
        tokens := ARRAY(
            SELECT ROW(d.id, d.reference, NULL, d.profiles, d.subject, d.sans,
                       d.uses_left, d.not_after, d.disabled, d.may_revoke,
                       d.token_hash, d.token_needed)::cmp.load_credential
            FROM cmp.credential d
            WHERE d.ca_id = p_ca AND d.token_hash = ANY (p_tokens));
    END IF;

    IF p_signer_serial IS NOT NULL THEN
        v_cert := cmp.load_one(p_ca, p_signer_serial);

        IF sha256(v_cert.der) = p_signer_hash THEN
            signer := v_cert;
        END IF;

    ELSIF v_tx.signer_serial IS NOT NULL THEN
        v_cert := cmp.load_one(p_ca, v_tx.signer_serial);

        IF sha256(v_cert.der) = v_tx.signer_hash THEN
            signer := v_cert;
        END IF;

    ELSIF p_signer_subject IS NOT NULL AND p_signer_ski IS NOT NULL THEN
        signer := cmp.load_signer(p_ca, p_signer_subject, p_signer_ski);
    END IF;

    IF p_serials IS NOT NULL THEN
        v_serials := v_serials || p_serials;
    END IF;

    FOR i IN 1 .. coalesce(cardinality(p_subjects), 0) LOOP
        SELECT k.serial INTO v_serial FROM cmp.key k
        WHERE k.ca_id = p_ca AND k.key_id = substr(p_subject_keys[i], 1, 16);

        IF FOUND THEN
            v_serials := v_serials
                || cmp.load_chain(p_ca, v_serial, sha256(p_subjects[i]));
        END IF;
    END LOOP;

    FOR i IN 1 .. coalesce(cardinality(p_keys), 0) LOOP
        SELECT p_keys[i], k.subject_hash, k.serial, k.version, k.confirmed,
               k.compromised
        INTO v_key
        FROM cmp.key k
        WHERE k.ca_id = p_ca AND k.key_id = substr(p_keys[i], 1, 16);

        IF FOUND THEN
            keys := keys || v_key;
            v_serials := v_serials || v_key.serial;
        END IF;
    END LOOP;

    -- each serial once, then the successors of all these

    v_named := cardinality(v_serials);

    IF signer.successor IS NOT NULL THEN
        v_serials := v_serials || signer.successor;
    END IF;

    v_at := 0;

    WHILE v_at < cardinality(v_serials) LOOP
        v_at := v_at + 1;

        CONTINUE WHEN v_serials[v_at] = ANY (v_serials[1 : v_at - 1]);

        v_cert := cmp.load_one(p_ca, v_serials[v_at]);

        CONTINUE WHEN v_cert.serial IS NULL;

        certificates := certificates || v_cert;

        IF v_at <= v_named AND v_cert.successor IS NOT NULL THEN
            v_serials := v_serials || v_cert.successor;
        END IF;
    END LOOP;

    -- 4: for a genm (body 21) that is polled for

    IF p_want = 0 OR (p_want & 4 <> 0 AND (waiting IS NULL
                      OR v_tx.body IS DISTINCT FROM 21))
    THEN
        RETURN;
    END IF;

    IF p_want & 1 <> 0 THEN
        SELECT o.new_with_new, o.new_with_old, o.old_with_new, o.old_root
        INTO rollover
        FROM cmp.rollover o WHERE o.ca_id = p_ca;
    END IF;

    IF p_want & 2 <> 0 THEN
        SELECT c.der, c.this_update INTO crl, crl_this_update
        FROM cmp.crl c
        WHERE c.ca_id = p_ca AND c.partition = 0 AND c.previous = 0
            AND NOT c.delta
        ORDER BY c.number DESC LIMIT 1;
    END IF;
END
$$;
