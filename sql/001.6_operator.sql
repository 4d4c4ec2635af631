-- Copyright (C) ngx_http_cmp_module contributors
--
-- What operators and auditors do, from cmpctl, psql or any other program.
-- Refusals that are meant for people have the SQLSTATE CM002.  A parameter
-- that is NULL does not matter.

CREATE FUNCTION cmp.refuse(p_text text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', p_text USING ERRCODE = 'CM002';
END
$$;


CREATE FUNCTION cmp.state_name(p_state int4) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (ARRAY['unconfirmed', 'valid', 'hold', 'revoked'])[p_state + 1]
$$;


CREATE FUNCTION cmp.reason_name(p_reason int4) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (ARRAY['unspecified', 'keyCompromise', 'cACompromise',
                  'affiliationChanged', 'superseded', 'cessationOfOperation',
                  'certificateHold', '7', 'removeFromCRL',
                  'privilegeWithdrawn', 'aACompromise'])[p_reason + 1]
$$;


CREATE FUNCTION cmp.parse_reason(p_reason text) RETURNS int4
LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 0 .. 10 LOOP
        IF i NOT IN (6, 7, 8)
            AND lower(p_reason) IN (lower(cmp.reason_name(i)), i::text)
        THEN
            RETURN i;
        END IF;
    END LOOP;

    PERFORM cmp.refuse(format('"%s" is not a reason to revoke: unspecified, '
        'keyCompromise, cACompromise, affiliationChanged, superseded, '
        'cessationOfOperation, privilegeWithdrawn or aACompromise', p_reason));
END
$$;


-- hexadecimal digits, with or without "0x", colons and leading zeros

CREATE FUNCTION cmp.parse_hex(p_text text) RETURNS bytea
LANGUAGE plpgsql AS $$
DECLARE
    v_hex   text := regexp_replace(lower(p_text), '^0x|[: ]', '', 'g');
BEGIN
    IF v_hex !~ '^[0-9a-f]{1,128}$' THEN
        PERFORM cmp.refuse(format('"%s" is not a hexadecimal number',
                                  p_text));
    END IF;

    RETURN decode(repeat('0', length(v_hex) % 2) || v_hex, 'hex');
END
$$;


CREATE FUNCTION cmp.parse_serial(p_text text) RETURNS bytea
LANGUAGE plpgsql AS $$
BEGIN
    RETURN ltrim(cmp.parse_hex(p_text), '\x00'::bytea);
END
$$;


-- text where the octets are text, else hexadecimal

CREATE FUNCTION cmp.show_reference(p_reference bytea) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    v_text  text;
BEGIN
    v_text := convert_from(p_reference, 'UTF8');

    IF v_text !~ '[[:cntrl:]]' THEN
        RETURN v_text;
    END IF;

    RETURN '0x' || encode(p_reference, 'hex');

EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN
    RETURN '0x' || encode(p_reference, 'hex');
END
$$;


-- "*" stands for any characters, case does not matter

CREATE FUNCTION cmp.matches(p_text text, p_pattern text) RETURNS bool
LANGUAGE sql IMMUTABLE AS $$
    SELECT p_text ILIKE replace(replace(replace(replace(p_pattern,
        '\', '\\'), '%', '\%'), '_', '\_'), '*', '%')
$$;


CREATE FUNCTION cmp.find_ca(p_ca text) RETURNS int4
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_id    int4;
BEGIN
    SELECT a.id INTO v_id FROM cmp.ca a WHERE a.name = p_ca;

    IF NOT FOUND THEN
        PERFORM cmp.refuse(format('there is no CA "%s"', p_ca));
    END IF;

    RETURN v_id;
END
$$;


-- the same for a parameter that may be NULL

CREATE FUNCTION cmp.given_ca(p_ca text) RETURNS int4
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN p_ca IS NOT NULL THEN cmp.find_ca(p_ca) END
$$;


CREATE FUNCTION cmp.operator_audit(p_ca int4, p_action text, p_serial bytea,
    p_text text) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO cmp.audit (at, ca_id, action, requester, client, serial, text)
    VALUES (clock_timestamp(), p_ca, p_action, 'operator:' || session_user,
        coalesce(host(inet_client_addr()), 'local'), p_serial, p_text)
$$;


CREATE FUNCTION cmp.ca_list()
RETURNS TABLE (ca text, id int4, certificate text, created timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.name, a.id, encode(a.certificate, 'hex'), a.created_at
    FROM cmp.ca a
    ORDER BY a.name
$$;


CREATE FUNCTION cmp.pem(p_der bytea) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT E'-----BEGIN CERTIFICATE-----\n'
        || regexp_replace(translate(encode(p_der, 'base64'), E'\n', ''),
                          '.{1,64}', E'\\&\n', 'g')
        || E'-----END CERTIFICATE-----'
$$;


-- The successor of a root, as DER; what fits together is up to the caller,
-- cmpctl checks it.

CREATE FUNCTION cmp.rollover_set(
    p_ca            text,
    p_new_with_new  bytea,
    p_new_with_old  bytea DEFAULT NULL,
    p_old_with_new  bytea DEFAULT NULL,
    p_old_root      bytea DEFAULT NULL)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_ca    int4 := cmp.find_ca(p_ca);
BEGIN
    INSERT INTO cmp.rollover AS o (ca_id, new_with_new, new_with_old,
        old_with_new, old_root)
    VALUES (v_ca, p_new_with_new, p_new_with_old, p_old_with_new, p_old_root)
    ON CONFLICT (ca_id) DO UPDATE
    SET new_with_new = excluded.new_with_new,
        new_with_old = excluded.new_with_old,
        old_with_new = excluded.old_with_new,
        old_root = excluded.old_root, created_at = now();

    PERFORM cmp.operator_audit(v_ca, 'ca rollover', NULL,
        'new root, SHA-256 ' || encode(sha256(p_new_with_new), 'hex'));
END
$$;


CREATE FUNCTION cmp.rollover_cancel(p_ca text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_ca    int4 := cmp.find_ca(p_ca);
BEGIN
    DELETE FROM cmp.rollover o WHERE o.ca_id = v_ca;

    IF NOT FOUND THEN
        PERFORM cmp.refuse(format('no new root is prepared for CA "%s"',
                                  p_ca));
    END IF;

    PERFORM cmp.operator_audit(v_ca, 'ca rollover', NULL, 'cancelled');
END
$$;


CREATE FUNCTION cmp.rollover_show(p_ca text)
RETURNS TABLE (ca text, created timestamptz, new_root text,
    new_with_old text, old_with_new text, old_root text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT p_ca, o.created_at, cmp.pem(o.new_with_new),
        cmp.pem(o.new_with_old), cmp.pem(o.old_with_new), cmp.pem(o.old_root)
    FROM cmp.rollover o
    WHERE o.ca_id = cmp.find_ca(p_ca)
$$;


-- credentials; the secret is sealed by the caller for this CA and reference
-- (see src/core/cmp_seal.h)

CREATE FUNCTION cmp.credential_add(
    p_ca            text,
    p_reference     bytea,
    p_secret        bytea,
    p_profiles      text[] DEFAULT '{}',
    p_subject       text DEFAULT '',
    p_sans          text[] DEFAULT '{}',
    p_uses          int4 DEFAULT NULL,
    p_not_after     timestamptz DEFAULT NULL,
    p_may_revoke    bool DEFAULT false,
    p_replace       bool DEFAULT false,
    p_token_needed  bool DEFAULT false,
    p_token_hash    bytea DEFAULT NULL)
RETURNS int8
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_ca    int4;
    v_id    int8;
BEGIN
    IF p_uses < 1 THEN
        PERFORM cmp.refuse('the number of uses must be at least 1');
    END IF;

    IF (p_secret IS NULL) = (p_token_hash IS NULL) THEN
        PERFORM cmp.refuse('a credential is either a secret or a token');
    END IF;

    IF p_token_hash IS NOT NULL AND (p_uses IS DISTINCT FROM 1
        OR coalesce(p_may_revoke, false) OR coalesce(p_token_needed, false))
    THEN
        PERFORM cmp.refuse('a token is for one request for a certificate');
    END IF;

    IF p_not_after <= now() THEN
        PERFORM cmp.refuse('the credential would have expired already');
    END IF;

    SELECT a.id INTO v_ca FROM cmp.ca a WHERE a.name = p_ca;

    IF NOT FOUND THEN
        RAISE NOTICE 'no server has registered a CA "%" yet', p_ca;
        v_ca := cmp.ca_register(p_ca, NULL);
    END IF;

    INSERT INTO cmp.credential AS d (ca_id, reference, secret, token_hash,
        profiles, subject, sans, uses_left, not_after, may_revoke,
        token_needed)
    VALUES (v_ca, p_reference, p_secret, p_token_hash,
        coalesce(p_profiles, '{}'), coalesce(p_subject, ''),
        coalesce(p_sans, '{}'), coalesce(p_uses, -1), p_not_after,
        coalesce(p_may_revoke, false), coalesce(p_token_needed, false))
    ON CONFLICT (ca_id, reference) DO UPDATE
    SET secret = excluded.secret, token_hash = excluded.token_hash,
        profiles = excluded.profiles, token_needed = excluded.token_needed,
        subject = excluded.subject, sans = excluded.sans,
        uses_left = excluded.uses_left, not_after = excluded.not_after,
        may_revoke = excluded.may_revoke, disabled = false,
        changed_at = now()
    WHERE p_replace
    RETURNING d.id INTO v_id;

    IF v_id IS NULL THEN
        PERFORM cmp.refuse(format('CA "%s" has a credential "%s" already',
            p_ca, cmp.show_reference(p_reference)));
    END IF;

    PERFORM cmp.operator_audit(v_ca, 'credential add', NULL,
        cmp.show_reference(p_reference));

    RETURN v_id;
END
$$;


CREATE FUNCTION cmp.credential_disable(p_ca text, p_reference bytea,
    p_disabled bool DEFAULT true) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_ca    int4 := cmp.find_ca(p_ca);
BEGIN
    UPDATE cmp.credential d SET disabled = p_disabled, changed_at = now()
    WHERE d.ca_id = v_ca AND d.reference = p_reference;

    IF NOT FOUND THEN
        PERFORM cmp.refuse(format('CA "%s" has no credential "%s"', p_ca,
            cmp.show_reference(p_reference)));
    END IF;

    PERFORM cmp.operator_audit(v_ca, CASE WHEN p_disabled
        THEN 'credential disable' ELSE 'credential enable' END, NULL,
        cmp.show_reference(p_reference));
END
$$;


CREATE FUNCTION cmp.credential_list(p_ca text DEFAULT NULL,
    p_reference text DEFAULT NULL)
RETURNS TABLE (ca text, reference text, kind text, state text, uses_left int4,
    expires timestamptz, profiles text[], subject text, sans text[],
    may_revoke bool, token_needed bool, created timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.name, cmp.show_reference(d.reference),
        CASE WHEN d.secret IS NULL THEN 'token' ELSE 'secret' END,
        CASE WHEN d.disabled THEN 'disabled' WHEN d.uses_left = 0 THEN 'spent'
             WHEN d.not_after <= now() THEN 'expired' ELSE 'active' END,
        nullif(d.uses_left, -1), d.not_after, d.profiles, d.subject, d.sans,
        d.may_revoke, d.token_needed, d.created_at
    FROM cmp.credential d JOIN cmp.ca a ON a.id = d.ca_id
    WHERE (p_ca IS NULL OR a.name = p_ca)
        AND (p_reference IS NULL
             OR cmp.matches(cmp.show_reference(d.reference), p_reference))
    ORDER BY a.name, d.reference
$$;


-- certificates

-- The serial numbers of all certificates of a public key, the latest first; by
-- the index of keys, however many certificates there are.

CREATE FUNCTION cmp.certificates_of_key(p_ca int4, p_key_hash bytea)
RETURNS bytea[]
LANGUAGE sql STABLE AS $$
    WITH RECURSIVE chain (ca_id, serial, previous) AS (
        SELECT c.ca_id, c.serial, c.key_previous
        FROM cmp.ca a
            JOIN cmp.key k
            ON k.ca_id = a.id AND k.key_id = substr(p_key_hash, 1, 16)
            JOIN cmp.certificate c ON c.serial = k.serial AND c.ca_id = a.id
        WHERE (p_ca IS NULL OR a.id = p_ca) AND c.key_hash = p_key_hash
        UNION
        SELECT c.ca_id, c.serial, c.key_previous
        FROM chain n
            JOIN cmp.certificate c
            ON c.serial = n.previous AND c.ca_id = n.ca_id)
    SELECT coalesce(array_agg(serial ORDER BY serial DESC), '{}') FROM chain
$$;


CREATE FUNCTION cmp.certificate_list(
    p_ca            text DEFAULT NULL,
    p_serial        text DEFAULT NULL,
    p_subject       text DEFAULT NULL,      -- pattern
    p_state         text DEFAULT NULL,
    p_profile       text DEFAULT NULL,
    p_since         timestamptz DEFAULT NULL,
    p_expires       timestamptz DEFAULT NULL,   -- before
    p_limit         int4 DEFAULT 100,
    p_key_hash      text DEFAULT NULL,      -- SHA-256, hex
    p_after         text DEFAULT NULL)      -- the last serial of a page
RETURNS TABLE (ca text, serial text, state text, subject text, profile text,
    not_before timestamptz, not_after timestamptz, issued timestamptz,
    revoked timestamptz, reason text, key_hash text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_ca        int4 := cmp.given_ca(p_ca);
    v_serials   bytea[];
    v_after     bytea;
BEGIN
    IF p_serial IS NOT NULL THEN
        v_serials := ARRAY[cmp.parse_serial(p_serial)];
    END IF;

    IF p_after IS NOT NULL THEN
        v_after := cmp.parse_serial(p_after);
    END IF;

    IF p_key_hash IS NOT NULL THEN
        IF p_key_hash !~ '^[0-9A-Fa-f]{64}$' THEN
            PERFORM cmp.refuse('a key is named by the 64 hex digits of the '
                'SHA-256 of its SubjectPublicKeyInfo');
        END IF;

        SELECT coalesce(array_agg(s), '{}') INTO v_serials
        FROM unnest(cmp.certificates_of_key(v_ca, decode(p_key_hash, 'hex'))) s
        WHERE p_serial IS NULL OR s = v_serials[1];
    END IF;

    IF p_state NOT IN ('unconfirmed', 'valid', 'hold', 'revoked', 'expired')
    THEN
        PERFORM cmp.refuse(format('"%s" is not a state: unconfirmed, valid, '
            'hold, revoked or expired', p_state));
    END IF;

    RETURN QUERY
    SELECT a.name, encode(c.serial, 'hex'), s.state, c.subject, c.profile,
        c.not_before, c.not_after, c.issued_at, r.revoked_at,
        cmp.reason_name(r.reason), encode(c.key_hash, 'hex')
    FROM cmp.certificate c
        JOIN cmp.ca a ON a.id = c.ca_id
        LEFT JOIN cmp.revocation r
        ON r.ca_id = c.ca_id AND r.serial = c.serial AND r.state <> 1,
        LATERAL (SELECT CASE WHEN c.not_after < now() AND c.state <> 3
                             THEN 'expired' ELSE cmp.state_name(c.state) END
                ) AS s (state)
    WHERE (v_ca IS NULL OR c.ca_id = v_ca)
        AND (v_serials IS NULL OR c.serial = ANY (v_serials))
        AND (v_after IS NULL OR c.serial < v_after)
        AND (p_subject IS NULL OR cmp.matches(c.subject, p_subject))
        AND (p_state IS NULL OR s.state = p_state)
        AND (p_profile IS NULL OR c.profile = p_profile)
        AND (p_since IS NULL OR c.issued_at >= p_since)
        AND (p_expires IS NULL OR c.not_after < p_expires)
    ORDER BY c.serial DESC
    LIMIT p_limit;
END
$$;


-- the one certificate that is meant

CREATE FUNCTION cmp.find_certificate(p_ca text, p_serial text,
    OUT ca_id int4, OUT serial bytea)
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_ca    int4 := cmp.given_ca(p_ca);
BEGIN
    serial := cmp.parse_serial(p_serial);

    SELECT min(c.ca_id) INTO ca_id FROM cmp.certificate c
    WHERE c.serial = find_certificate.serial
        AND (v_ca IS NULL OR c.ca_id = v_ca)
    HAVING count(*) = 1;

    IF NOT FOUND THEN
        PERFORM cmp.refuse(format('there is no certificate, or more than '
            'one, with the serial number %s', encode(serial, 'hex')));
    END IF;
END
$$;


CREATE FUNCTION cmp.certificate_show(p_ca text, p_serial text)
RETURNS TABLE (ca text, serial text, state text, subject text, profile text,
    not_before timestamptz, not_after timestamptz, issued timestamptz,
    revoked timestamptz, reason text, invalid_since timestamptz,
    reference text, transaction_id text, key_hash text, updates text,
    updated_by text, used bool, replaced bool, retired bool, pem text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.name, encode(c.serial, 'hex'), cmp.state_name(c.state),
        c.subject, c.profile, c.not_before, c.not_after, c.issued_at,
        r.revoked_at, cmp.reason_name(r.reason), r.invalidity,
        cmp.show_reference(d.reference), encode(c.transaction_id, 'hex'),
        encode(c.key_hash, 'hex'), encode(c.predecessor, 'hex'),
        encode(c.successor, 'hex'), c.used, c.replaced, c.retired,
        cmp.pem(c.der)
    FROM cmp.find_certificate(p_ca, p_serial) f
        JOIN cmp.certificate c ON c.serial = f.serial AND c.ca_id = f.ca_id
        JOIN cmp.ca a ON a.id = c.ca_id
        LEFT JOIN cmp.credential d ON d.id = c.credential_id
        LEFT JOIN cmp.revocation r
        ON r.ca_id = c.ca_id AND r.serial = c.serial AND r.state <> 1
$$;


-- p_action: revoke, hold or release

CREATE FUNCTION cmp.certificate_change(p_ca text, p_serial text,
    p_action text, p_reason text DEFAULT 'unspecified',
    p_invalid_since timestamptz DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_action    int4;
    v_reason    int4 := cmp.parse_reason(p_reason);
    v_ca        int4;
    v_serial    bytea;
    v_state     int2;
BEGIN
    v_action := CASE p_action WHEN 'revoke' THEN 2 WHEN 'hold' THEN 3
                              WHEN 'release' THEN 4 END;

    IF v_action IS NULL THEN
        PERFORM cmp.refuse(format('"%s" is not revoke, hold or release',
                                  p_action));
    END IF;

    SELECT f.ca_id, f.serial INTO v_ca, v_serial
    FROM cmp.find_certificate(p_ca, p_serial) f;

    IF NOT cmp.change(clock_timestamp(), v_ca, v_serial, NULL, v_action,
                      v_reason, 4, p_invalid_since)
    THEN
        SELECT c.state INTO v_state FROM cmp.certificate c
        WHERE c.serial = v_serial AND c.ca_id = v_ca;

        PERFORM cmp.refuse(format('the certificate is %s',
            CASE v_state WHEN 2 THEN 'on hold'
                         ELSE cmp.state_name(v_state) END));
    END IF;

    PERFORM cmp.operator_audit(v_ca, p_action, v_serial,
        CASE p_action WHEN 'revoke' THEN cmp.reason_name(v_reason)
                      ELSE '' END);
END
$$;


-- requests that wait for an operator; "*" in a pattern as above

CREATE FUNCTION cmp.body_name(p_body int4) RETURNS text
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE p_body WHEN 0 THEN 'ir' WHEN 2 THEN 'cr' WHEN 4 THEN 'p10cr'
        WHEN 7 THEN 'kur' WHEN 11 THEN 'rr' WHEN 21 THEN 'genm'
        ELSE p_body::text END
$$;


CREATE FUNCTION cmp.request_state_name(p_state int4, p_expires timestamptz)
RETURNS text
LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN p_state IN (0, 1) AND p_expires <= now() THEN 'expired'
        ELSE (ARRAY['pending', 'approved', 'rejected', 'expired', 'delivered',
                    'cancelled', 'failed'])[p_state + 1] END
$$;


CREATE FUNCTION cmp.request_list(
    p_ca            text DEFAULT NULL,
    p_state         text DEFAULT NULL,
    p_subject       text DEFAULT NULL,      -- pattern
    p_limit         int4 DEFAULT 100)
RETURNS TABLE (id int8, ca text, state text, type text, requester text,
    profile text, subject text, sans text, created timestamptz,
    expires timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_ca    int4 := cmp.given_ca(p_ca);
BEGIN
    IF p_state NOT IN ('pending', 'approved', 'rejected', 'expired',
                       'delivered', 'cancelled', 'failed')
    THEN
        PERFORM cmp.refuse(format('"%s" is not a state: pending, approved, '
            'rejected, expired, delivered, cancelled or failed', p_state));
    END IF;

    RETURN QUERY
    SELECT r.id, a.name, s.state, cmp.body_name(r.body), r.requester,
        r.profile, r.subject, r.sans, r.created_at, r.expires_at
    FROM cmp.request r
        JOIN cmp.ca a ON a.id = r.ca_id,
        LATERAL cmp.request_state_name(r.state, r.expires_at) AS s (state)
    WHERE (v_ca IS NULL OR r.ca_id = v_ca)
        AND (p_state IS NULL OR s.state = p_state)
        AND (p_subject IS NULL OR cmp.matches(r.subject, p_subject))
    ORDER BY r.id DESC
    LIMIT p_limit;
END
$$;


CREATE FUNCTION cmp.request_show(p_id int8)
RETURNS TABLE (id int8, ca text, state text, type text, cert_req_id int4,
    requester text, client text, profile text, subject text, sans text,
    key_hash text, target text, text text, created timestamptz,
    expires timestamptz, decided timestamptz, decided_by text, reason text,
    serial text, transaction_id text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT r.id, a.name, cmp.request_state_name(r.state, r.expires_at),
        cmp.body_name(r.body), r.cert_req_id, r.requester, r.client,
        r.profile, r.subject, r.sans, encode(r.key_hash, 'hex'),
        encode(r.target, 'hex'), r.text, r.created_at, r.expires_at,
        r.decided_at, r.decided_by, r.reason, encode(r.serial, 'hex'),
        encode(r.transaction_id, 'hex')
    FROM cmp.request r JOIN cmp.ca a ON a.id = r.ca_id
    WHERE r.id = p_id;

    IF NOT FOUND THEN
        PERFORM cmp.refuse(format('there is no request %s', p_id));
    END IF;
END
$$;


-- Whoever is first decides.  The client has the same time again to fetch what
-- was decided.

CREATE FUNCTION cmp.request_decide(p_id int8, p_approve bool,
    p_reason text DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now       timestamptz;
    v_request   cmp.request;
    v_expires   timestamptz;
BEGIN
    IF octet_length(p_reason) > 160 OR p_reason ~ '[[:cntrl:]]' THEN
        PERFORM cmp.refuse('the reason is longer than 160 octets or has '
            'control characters');
    END IF;

    -- the transaction first, as in cmp.commit() and cmp.sweep()

    PERFORM FROM cmp.transaction t
    WHERE t.id = (SELECT r.transaction_id FROM cmp.request r
                  WHERE r.id = p_id)
    FOR UPDATE;

    SELECT * INTO v_request FROM cmp.request r WHERE r.id = p_id FOR UPDATE;

    IF NOT FOUND THEN
        PERFORM cmp.refuse(format('there is no request %s', p_id));
    END IF;

    v_now := clock_timestamp();

    IF v_request.state <> 0 OR v_request.expires_at <= v_now THEN
        PERFORM cmp.refuse(format('request %s is %s', p_id,
            cmp.request_state_name(v_request.state, v_request.expires_at)));
    END IF;

    v_expires := v_now + (v_request.expires_at - v_request.created_at);

    UPDATE cmp.request r
    SET version = r.version + 1, state = CASE WHEN p_approve THEN 1 ELSE 2 END,
        decided_at = v_now, decided_by = session_user, reason = p_reason,
        expires_at = v_expires,
        over_at = CASE WHEN p_approve THEN NULL ELSE v_now END
    WHERE r.id = p_id;

    UPDATE cmp.transaction t
    SET wait_until = v_expires,
        wake_at = CASE t.state WHEN 2 THEN v_expires ELSE t.wake_at END
    WHERE t.id = v_request.transaction_id;

    INSERT INTO cmp.audit (at, ca_id, action, requester, client,
        transaction_id, serial, text)
    VALUES (v_now, v_request.ca_id, CASE WHEN p_approve
            THEN 'request approve' ELSE 'request reject' END,
        'operator:' || session_user,
        coalesce(host(inet_client_addr()), 'local'), v_request.transaction_id,
        v_request.target,
        format('request %s%s', p_id, coalesce(': ' || p_reason, '')));
END
$$;


-- the audit, the latest first

CREATE FUNCTION cmp.audit_list(
    p_ca            text DEFAULT NULL,
    p_serial        text DEFAULT NULL,
    p_transaction   text DEFAULT NULL,
    p_requester     text DEFAULT NULL,      -- pattern
    p_action        text DEFAULT NULL,
    p_since         timestamptz DEFAULT NULL,
    p_until         timestamptz DEFAULT NULL,
    p_limit         int4 DEFAULT 100)
RETURNS TABLE (at timestamptz, ca text, action text, status int4,
    fail_info int4, requester text, client text, transaction_id text,
    serial text, text text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT u.at, a.name, u.action, u.status, u.fail_info, u.requester,
        u.client, encode(u.transaction_id, 'hex'), encode(u.serial, 'hex'),
        u.text
    FROM cmp.audit u LEFT JOIN cmp.ca a ON a.id = u.ca_id
    WHERE (p_ca IS NULL OR u.ca_id = cmp.find_ca(p_ca))
        AND (p_serial IS NULL OR u.serial = cmp.parse_serial(p_serial))
        AND (p_transaction IS NULL
             OR u.transaction_id = cmp.parse_hex(p_transaction))
        AND (p_requester IS NULL OR cmp.matches(u.requester, p_requester))
        AND (p_action IS NULL OR u.action = p_action)
        AND u.at >= coalesce(p_since, '-infinity')
        AND u.at < coalesce(p_until, 'infinity')
    ORDER BY u.at DESC, u.id DESC
    LIMIT p_limit
$$;


-- The latest CRL of each kind; "key" 0: the current key of the CA, n: the nth
-- previous one.

CREATE FUNCTION cmp.crl_show(p_ca text DEFAULT NULL,
    p_partition int4 DEFAULT NULL, p_key int4 DEFAULT NULL,
    p_kind text DEFAULT NULL)
RETURNS TABLE (ca text, partition int4, key int4, kind text, number int8,
    base int8, this_update timestamptz, next_update timestamptz, entries int4,
    octets int4, pem text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT a.name, l.partition, l.previous, k.kind, l.number, l.base,
        l.this_update, l.next_update, l.entries, octet_length(l.der),
        E'-----BEGIN X509 CRL-----\n'
        || regexp_replace(translate(encode(l.der, 'base64'), E'\n', ''),
                          '.{1,64}', E'\\&\n', 'g')
        || E'-----END X509 CRL-----'
    FROM (SELECT DISTINCT ON (c.ca_id, c.partition, c.previous, c.delta) c.*
          FROM cmp.crl c
          ORDER BY c.ca_id, c.partition, c.previous, c.delta, c.number DESC) l
        JOIN cmp.ca a ON a.id = l.ca_id
        CROSS JOIN LATERAL (VALUES (CASE WHEN l.delta THEN 'delta'
                                         ELSE 'complete' END)) AS k (kind)
    WHERE (p_ca IS NULL OR a.name = p_ca)
        AND (p_partition IS NULL OR l.partition = p_partition)
        AND (p_key IS NULL OR l.previous = p_key)
        AND (p_kind IS NULL OR k.kind = p_kind)
    ORDER BY a.name, l.partition, l.previous, l.delta
$$;


-- Every CRL of the CA, or of all of them, is to be made anew: the next nginx
-- that sweeps, or is asked for one, does so.

CREATE FUNCTION cmp.crl_publish(p_ca text DEFAULT NULL) RETURNS timestamptz
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now   timestamptz := clock_timestamp();
    v_ca    int4;
BEGIN
    PERFORM cmp.given_ca(p_ca);

    FOR v_ca IN
        UPDATE cmp.ca a SET crl_wanted_at = v_now
        WHERE p_ca IS NULL OR a.name = p_ca
        RETURNING a.id
    LOOP
        PERFORM cmp.operator_audit(v_ca, 'crl publish', NULL, '');
    END LOOP;

    RETURN v_now;
END
$$;


-- How many of them are not there yet

CREATE FUNCTION cmp.crl_awaited(p_ca text DEFAULT NULL) RETURNS int8
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT count(*)
    FROM cmp.ca a
        LEFT JOIN (SELECT c.ca_id, c.partition, c.delta,
                          max(c.this_update) AS this_update
                   FROM cmp.crl c
                   GROUP BY c.ca_id, c.partition, c.delta) l
        ON l.ca_id = a.id
    WHERE (p_ca IS NULL OR a.name = p_ca)
        AND (l.ca_id IS NULL OR l.this_update < a.crl_wanted_at)
        AND a.crl_wanted_at <> '-infinity'
$$;
