-- Copyright (C) ngx_http_cmp_module contributors
--
-- What nginx writes: one call, one transaction.  A lost race raises CM001 or
-- 23505, nothing is done then.

CREATE FUNCTION cmp.lost(p_what text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'lost a race: %', p_what USING ERRCODE = 'CM001';
END
$$;


-- The successor of p_serial, which has the key p_key, was confirmed.

CREATE FUNCTION cmp.confirmed(p_ca int4, p_predecessor bytea,
    p_key_hash bytea) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF p_predecessor IS NOT NULL THEN
        UPDATE cmp.certificate c
        SET version = c.version + 1, replaced = true
        WHERE c.serial = p_predecessor AND c.ca_id = p_ca;
    END IF;

    UPDATE cmp.key k SET version = k.version + 1, confirmed = true
    WHERE k.ca_id = p_ca AND k.key_id = substr(p_key_hash, 1, 16)
        AND NOT k.confirmed;
END
$$;


-- Revoked, on hold or released: the row for the CRL, and what follows for
-- the key.

CREATE FUNCTION cmp.revoked(p_now timestamptz, p_ca int4, p_serial bytea,
    p_state int4, p_reason int4, p_by int4, p_invalidity timestamptz,
    p_not_after timestamptz, p_partition int2, p_key_hash bytea) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    -- the date of a hold stays when it becomes final

    INSERT INTO cmp.revocation AS r (ca_id, state, reason, by, partition,
        change, revoked_at, invalidity, not_after, serial)
    VALUES (p_ca, p_state, p_reason, p_by, p_partition, pg_current_xact_id(),
        p_now, p_invalidity, p_not_after, p_serial)
    ON CONFLICT (ca_id, serial) DO UPDATE
    SET state = excluded.state, reason = excluded.reason, by = excluded.by,
        change = excluded.change, invalidity = excluded.invalidity,
        revoked_at = CASE r.state WHEN 1 THEN excluded.revoked_at
                                  ELSE r.revoked_at END;

    IF p_state = 3 AND p_reason = 1 THEN
        UPDATE cmp.key k SET version = k.version + 1, compromised = true
        WHERE k.ca_id = p_ca AND k.key_id = substr(p_key_hash, 1, 16);
    END IF;
END
$$;


-- One change of one certificate, see cmp_change_e in src/core/cmp_store.h.
-- p_version NULL: whatever its version is.  False: it is not in a state for
-- this.

CREATE FUNCTION cmp.change(p_now timestamptz, p_ca int4, p_serial bytea,
    p_version int4, p_action int4, p_reason int4, p_by int4,
    p_invalidity timestamptz) RETURNS bool
LANGUAGE plpgsql AS $$
DECLARE
    v_predecessor   bytea;
    v_key_hash      bytea;
    v_not_after     timestamptz;
    v_partition     int2;
    v_state         int4;
BEGIN
    CASE p_action

    WHEN 1 THEN     -- confirm
        UPDATE cmp.certificate c SET version = c.version + 1, state = 1
        WHERE c.serial = p_serial AND c.ca_id = p_ca AND c.state = 0
            AND (c.version = p_version OR p_version IS NULL)
        RETURNING c.predecessor, c.key_hash INTO v_predecessor, v_key_hash;

        IF FOUND THEN
            PERFORM cmp.confirmed(p_ca, v_predecessor, v_key_hash);
            RETURN true;
        END IF;

    WHEN 2 THEN     -- revoke
        v_state := 3;

        UPDATE cmp.certificate c SET version = c.version + 1, state = 3
        WHERE c.serial = p_serial AND c.ca_id = p_ca AND c.state <> 3
            AND (c.version = p_version OR p_version IS NULL)
        RETURNING c.not_after, c.partition, c.key_hash
        INTO v_not_after, v_partition, v_key_hash;

    WHEN 3 THEN     -- hold
        v_state := 2;

        UPDATE cmp.certificate c SET version = c.version + 1, state = 2
        WHERE c.serial = p_serial AND c.ca_id = p_ca AND c.state = 1
            AND (c.version = p_version OR p_version IS NULL)
        RETURNING c.not_after, c.partition, c.key_hash
        INTO v_not_after, v_partition, v_key_hash;

    WHEN 4 THEN     -- release
        v_state := 1;

        UPDATE cmp.certificate c SET version = c.version + 1, state = 1
        WHERE c.serial = p_serial AND c.ca_id = p_ca AND c.state = 2
            AND (c.version = p_version OR p_version IS NULL)
        RETURNING c.not_after, c.partition, c.key_hash
        INTO v_not_after, v_partition, v_key_hash;

    WHEN 5 THEN     -- used
        UPDATE cmp.certificate c SET version = c.version + 1, used = true
        WHERE c.serial = p_serial AND c.ca_id = p_ca AND NOT c.used
            AND (c.version = p_version OR p_version IS NULL)
        RETURNING c.predecessor INTO v_predecessor;

        IF FOUND THEN
            IF v_predecessor IS NOT NULL THEN
                UPDATE cmp.certificate c
                SET version = c.version + 1, retired = true
                WHERE c.serial = v_predecessor AND c.ca_id = p_ca;
            END IF;

            RETURN true;
        END IF;

    END CASE;

    IF v_key_hash IS NULL THEN
        RETURN false;
    END IF;

    PERFORM cmp.revoked(p_now, p_ca, p_serial, v_state,
        CASE v_state WHEN 1 THEN 8 WHEN 2 THEN 6 ELSE p_reason END, p_by,
        p_invalidity, v_not_after, v_partition, v_key_hash);

    RETURN true;
END
$$;


-- The key of a new certificate: gives the serial of the certificate before
-- with the same key.  p_version 0: nobody had the key; NULL: whatever its
-- version is, if the subject is the same.

CREATE FUNCTION cmp.claim_key(p_ca int4, p_key_hash bytea, p_version int4,
    p_subject_hash bytea, p_serial bytea, p_confirmed bool) RETURNS bytea
LANGUAGE plpgsql AS $$
DECLARE
    v_previous  bytea;
BEGIN
    IF p_version = 0 THEN
        INSERT INTO cmp.key (ca_id, confirmed, key_id, subject_hash, serial)
        VALUES (p_ca, p_confirmed, substr(p_key_hash, 1, 16), p_subject_hash,
            p_serial);

        RETURN NULL;
    END IF;

    SELECT k.serial INTO v_previous FROM cmp.key k
    WHERE k.ca_id = p_ca AND k.key_id = substr(p_key_hash, 1, 16)
        AND (k.version = p_version
             OR (p_version IS NULL AND k.subject_hash = p_subject_hash))
    FOR UPDATE;

    IF NOT FOUND THEN
        PERFORM cmp.lost('key');
    END IF;

    UPDATE cmp.key k
    SET version = k.version + 1, confirmed = k.confirmed OR p_confirmed,
        subject_hash = p_subject_hash, serial = p_serial
    WHERE k.ca_id = p_ca AND k.key_id = substr(p_key_hash, 1, 16);

    RETURN v_previous;
END
$$;


-- One use of a credential.  Only those with a limited number are written.

CREATE FUNCTION cmp.spend(p_now timestamptz, p_ca int4, p_id int8)
RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    v_left  int4;
BEGIN
    SELECT d.uses_left INTO v_left FROM cmp.credential d
    WHERE d.id = p_id AND d.ca_id = p_ca AND NOT d.disabled
        AND (d.not_after IS NULL OR d.not_after > p_now);

    IF v_left = -1 THEN
        RETURN;
    END IF;

    UPDATE cmp.credential d SET uses_left = d.uses_left - 1
    WHERE d.id = p_id AND d.ca_id = p_ca AND NOT d.disabled
        AND d.uses_left > 0
        AND (d.not_after IS NULL OR d.not_after > p_now);

    IF NOT FOUND THEN
        PERFORM cmp.lost('credential');
    END IF;
END
$$;


-- Requests begin to wait for an operator.

CREATE FUNCTION cmp.wait(p_now timestamptz, p_until timestamptz, p_ca int4,
    p_id bytea, p_body int4, p_message bytea, p_serials bytea[],
    p_keys bytea[], r_req_id int4[], r_profile text[], r_subject bytea[],
    r_sans bytea[], r_key_hash bytea[], r_target bytea[], r_text text[],
    p_requester text, p_client text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO cmp.waiting (transaction_id, serials, keys, message)
    VALUES (p_id, coalesce(p_serials, '{}'), coalesce(p_keys, '{}'),
        p_message);

    FOR i IN 1 .. cardinality(r_req_id) LOOP
        INSERT INTO cmp.request (created_at, expires_at, ca_id, cert_req_id,
            body, transaction_id, key_hash, target, profile, subject, sans,
            text, requester, client)
        VALUES (p_now, p_until, p_ca, r_req_id[i], p_body, p_id,
            r_key_hash[i], r_target[i], coalesce(r_profile[i], ''),
            coalesce(convert_from(r_subject[i], 'UTF8'), ''),
            coalesce(convert_from(r_sans[i], 'UTF8'), ''),
            coalesce(r_text[i], ''), p_requester, p_client);
    END LOOP;
END
$$;


-- Requests that waited are answered.

CREATE FUNCTION cmp.answered(p_now timestamptz, p_ca int4, p_id bytea,
    n_id int8[], n_version int4[], n_state int4[], n_serial bytea[])
RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. cardinality(n_id) LOOP
        UPDATE cmp.request r
        SET version = r.version + 1, state = n_state[i], answered = true,
            over_at = p_now, serial = n_serial[i]
        WHERE r.id = n_id[i] AND r.ca_id = p_ca AND r.transaction_id = p_id
            AND r.version = n_version[i] AND NOT r.answered;

        IF NOT FOUND THEN
            PERFORM cmp.lost('request');
        END IF;
    END LOOP;

    DELETE FROM cmp.waiting w
    WHERE w.transaction_id = p_id
        AND NOT EXISTS (SELECT FROM cmp.request r
                        WHERE r.transaction_id = p_id AND NOT r.answered);
END
$$;


-- See cmp_writes_t in src/core/cmp_store.h.  Arrays of the same group have
-- the same length, NULL when there is nothing; durations are milliseconds.

CREATE FUNCTION cmp.commit(
    p_ca                int4,

    p_id                bytea,      -- the transaction
    p_version           int4,
    p_state             int4,
    p_body              int4,
    p_kind              int4,
    p_credential        int8,
    p_signer_hash       bytea,
    p_signer_serial     bytea,
    p_signer            bytea,
    p_protection_alg    bytea,
    p_sender_nonce      bytea,
    p_nonce             bytea,
    p_confirm           int8,
    p_memory            int8,

    p_request_hash      bytea,
    p_reply             bytea,
    p_reply_memory      int8,

    p_credential_use    int8,

    c_serial            bytea[],    -- new certificates
    c_der               bytea[],
    c_req_id            int4[],
    c_state             int4[],
    c_subject_hash      bytea[],
    c_subject           text[],
    c_key_hash          bytea[],
    c_profile           text[],
    c_predecessor       bytea[],
    c_pred_version      int4[],
    c_not_before        timestamptz[],
    c_not_after         timestamptz[],
    c_credential        int8[],
    c_key_version       int4[],
    c_partition         int4[],

    h_serial            bytea[],    -- changes
    h_version           int4[],
    h_action            int4[],
    h_reason            int4[],
    h_by                int4[],
    h_invalidity        timestamptz[],

    a_action            text[],     -- the audit
    a_status            int4[],
    a_fail_info         int4[],
    a_serial            bytea[],
    a_text              text[],
    p_requester         text,
    p_client            text,

    p_approval          int8 DEFAULT NULL,      -- requests begin to wait
    p_message           bytea DEFAULT NULL,
    p_serials           bytea[] DEFAULT NULL,
    p_keys              bytea[] DEFAULT NULL,
    r_req_id            int4[] DEFAULT NULL,
    r_profile           text[] DEFAULT NULL,
    r_subject           bytea[] DEFAULT NULL,
    r_sans              bytea[] DEFAULT NULL,
    r_key_hash          bytea[] DEFAULT NULL,
    r_target            bytea[] DEFAULT NULL,
    r_text              text[] DEFAULT NULL,

    n_id                int8[] DEFAULT NULL,    -- they are answered
    n_version           int4[] DEFAULT NULL,
    n_state             int4[] DEFAULT NULL,
    n_serial            bytea[] DEFAULT NULL,

    p_token_uses        int8[] DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_now       timestamptz := clock_timestamp();
    v_slot      int4;
    v_version   int4;
    v_until     timestamptz;
    v_confirm   timestamptz;
    v_wait      timestamptz;
    v_forget    timestamptz;
    v_previous  bytea;
BEGIN
    IF p_id IS NOT NULL THEN
        v_forget := v_now + p_memory * interval '1 millisecond';

        IF p_state = 1 THEN
            v_confirm := v_now + p_confirm * interval '1 millisecond';
            v_forget := greatest(v_forget, v_confirm);
        END IF;

        IF p_message IS NOT NULL THEN
            v_wait := v_now + p_approval * interval '1 millisecond';
        END IF;

        -- see cmp.reply

        IF p_reply IS NOT NULL THEN
            v_until := v_now + p_reply_memory * interval '1 millisecond';
            v_slot := CASE WHEN p_reply_memory > 1200000 THEN 4
                ELSE floor(date_part('epoch', v_until) / 600)::int8 % 4 END;
        END IF;

        IF p_version = 0 THEN
            INSERT INTO cmp.transaction (wake_at, confirm_before, wait_until,
                forget_at, version, ca_id, state, body, kind, credential_id, id,
                signer_hash, signer_serial, signer, protection_alg,
                sender_nonce, nonces, request_hashes, reply_slots, serials)
            VALUES (coalesce(v_confirm, v_wait, v_forget), v_confirm, v_wait,
                v_forget, 1, p_ca, p_state, p_body, p_kind, p_credential, p_id,
                p_signer_hash, p_signer_serial, p_signer, p_protection_alg,
                p_sender_nonce, ARRAY[p_nonce], ARRAY[p_request_hash],
                ARRAY[v_slot], coalesce(c_serial, '{}'));

        ELSE
            -- a certConf that was refused does not give more time for one;
            -- the last 64 messages are enough to know a repeat

            UPDATE cmp.transaction t
            SET version = t.version + 1,
                state = p_state,
                confirm_before = CASE
                    WHEN p_state = 1 AND t.state = 1 AND c_serial IS NULL
                    THEN t.confirm_before ELSE v_confirm END,
                wake_at = CASE
                    WHEN p_state = 0 THEN v_forget
                    WHEN p_state = 2 THEN t.wait_until
                    WHEN t.state = 1 AND c_serial IS NULL THEN t.wake_at
                    ELSE v_confirm END,
                forget_at = v_forget,
                sender_nonce = p_sender_nonce,
                nonces = t.nonces[cardinality(t.nonces) - 62 :] || p_nonce,
                request_hashes =
                    t.request_hashes[cardinality(t.request_hashes) - 62 :]
                    || p_request_hash,
                reply_slots =
                    t.reply_slots[cardinality(t.reply_slots) - 62 :]
                    || v_slot::int2,
                serials = CASE WHEN c_serial IS NULL THEN t.serials
                    ELSE t.serials || c_serial END
            WHERE t.id = p_id AND t.version = p_version AND t.ca_id = p_ca;

            IF NOT FOUND THEN
                PERFORM cmp.lost('transaction');
            END IF;
        END IF;

        IF p_reply IS NOT NULL THEN
            INSERT INTO cmp.reply (expires_at, slot, request_hash, reply)
            VALUES (v_until, v_slot, p_request_hash, p_reply);
        END IF;
    END IF;

    IF n_id IS NOT NULL THEN
        PERFORM cmp.answered(v_now, p_ca, p_id, n_id, n_version, n_state,
            n_serial);
    END IF;

    IF p_message IS NOT NULL THEN
        PERFORM cmp.wait(v_now, v_wait, p_ca, p_id, p_body, p_message,
            p_serials, p_keys, r_req_id, r_profile, r_subject, r_sans,
            r_key_hash, r_target, r_text, p_requester, p_client);
    END IF;

    FOR i IN 1 .. coalesce(cardinality(h_serial), 0) LOOP
        IF NOT cmp.change(v_now, p_ca, h_serial[i], h_version[i],
                          h_action[i], h_reason[i], h_by[i], h_invalidity[i])
        THEN
            PERFORM cmp.lost('certificate');
        END IF;
    END LOOP;

    FOR i IN 1 .. coalesce(cardinality(c_serial), 0) LOOP
        v_version := c_key_version[i];

        IF i > 1 AND c_key_hash[i] = ANY (c_key_hash[1 : i - 1]) THEN
            v_version := NULL;
        END IF;

        v_previous := cmp.claim_key(p_ca, c_key_hash[i], v_version,
            c_subject_hash[i], c_serial[i], c_state[i] = 1);

        INSERT INTO cmp.certificate (state, partition, ca_id, cert_req_id,
            credential_id, issued_at, not_before, not_after, serial,
            transaction_id, key_hash, subject_hash, profile, subject, der,
            predecessor, key_previous)
        VALUES (c_state[i], c_partition[i], p_ca, c_req_id[i], c_credential[i], v_now,
            c_not_before[i], c_not_after[i], c_serial[i], p_id,
            c_key_hash[i], c_subject_hash[i], c_profile[i], c_subject[i],
            c_der[i], c_predecessor[i], v_previous);

        IF c_predecessor[i] IS NOT NULL THEN
            UPDATE cmp.certificate c
            SET version = c.version + 1, successor = c_serial[i],
                replaced = c.replaced OR c_state[i] = 1
            WHERE c.serial = c_predecessor[i] AND c.ca_id = p_ca
                AND c.version = c_pred_version[i] AND c.state IN (1, 2);

            IF NOT FOUND THEN
                PERFORM cmp.lost('predecessor');
            END IF;
        END IF;
    END LOOP;

    FOR i IN 1 .. coalesce(cardinality(a_action), 0) LOOP
        INSERT INTO cmp.audit (at, ca_id, status, fail_info, action,
            requester, client, transaction_id, serial, text)
        VALUES (v_now, p_ca, a_status[i], nullif(a_fail_info[i], -1),
            a_action[i], p_requester, p_client, p_id, a_serial[i],
            coalesce(a_text[i], ''));
    END LOOP;

    IF p_credential_use IS NOT NULL THEN
        PERFORM cmp.spend(v_now, p_ca, p_credential_use);
    END IF;

    FOR i IN 1 .. coalesce(cardinality(p_token_uses), 0) LOOP
        PERFORM cmp.spend(v_now, p_ca, p_token_uses[i]);
    END LOOP;
END
$$;
