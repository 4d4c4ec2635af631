-- Copyright (C) ngx_http_cmp_module contributors
--
-- OCSP: the state of certificates, what has changed of late, and delegated
-- responders.

-- One element for each serial number, in order; state -1: not known.

CREATE FUNCTION cmp.ocsp_status(
    p_ca            int4,
    p_serials       bytea[],
    p_der           bool,           -- whether the certificates are wanted
    OUT states      int4[],
    OUT reasons     int4[],
    OUT revoked_at  timestamptz[],
    OUT ders        bytea[])
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_state     int4;
    v_der       bytea;
    v_reason    int4;
    v_at        timestamptz;
BEGIN
    FOR i IN 1 .. cardinality(p_serials) LOOP
        v_reason := 0;
        v_at := NULL;

        SELECT c.state, CASE WHEN p_der THEN c.der END INTO v_state, v_der
        FROM cmp.certificate c
        WHERE c.serial = p_serials[i] AND c.ca_id = p_ca;

        IF v_state >= 2 THEN
            SELECT r.reason, r.revoked_at INTO v_reason, v_at
            FROM cmp.revocation r
            WHERE r.ca_id = p_ca AND r.serial = p_serials[i];
        END IF;

        states[i] := coalesce(v_state, -1);
        reasons[i] := coalesce(v_reason, 0);
        revoked_at[i] := v_at;
        ders[i] := v_der;
    END LOOP;
END
$$;


-- Revocations, holds and releases by transactions that the snapshot does not
-- see; with more than 1000 of them, or a responder among them, none is named.
-- Without a snapshot there is nothing but one to begin with.

CREATE FUNCTION cmp.changes(
    p_snapshot      pg_snapshot,
    OUT snapshot    pg_snapshot,
    OUT cas         int4[],
    OUT serials     bytea[],
    OUT everything  bool)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    snapshot := pg_current_snapshot();
    everything := p_snapshot IS NULL
        OR pg_snapshot_xmax(p_snapshot) > pg_snapshot_xmax(snapshot);

    IF everything THEN
        RETURN;
    END IF;

    SELECT array_agg(e.ca_id), array_agg(e.serial)
    INTO cas, serials
    FROM (SELECT r.ca_id, r.serial
          FROM cmp.ca a
              CROSS JOIN LATERAL (
                  SELECT v.ca_id, v.serial FROM cmp.revocation v
                  WHERE v.ca_id = a.id
                      AND v.change >= pg_snapshot_xmin(p_snapshot)
                      AND v.change < pg_snapshot_xmax(snapshot)
                      AND NOT pg_visible_in_snapshot(v.change, p_snapshot)
                  LIMIT 1001) r
          LIMIT 1001) e;

    IF cardinality(cas) > 1000
        OR EXISTS (SELECT FROM unnest(cas, serials) AS c (ca_id, serial)
                       JOIN cmp.ocsp_responder o USING (ca_id, serial))
    THEN
        everything := true;
        cas := NULL;
        serials := NULL;
    END IF;
END
$$;


-- The latest responder of a key of the CA: its number (0: there is none), the
-- state of its certificate (-1: not known), and what it consists of, unless
-- that is the known number or the certificate is not valid.

CREATE FUNCTION cmp.ocsp_responder(
    p_ca            int4,
    p_key_id        bytea,
    p_known         int4,
    OUT number      int4,
    OUT state       int4,
    OUT der         bytea,
    OUT secret      bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_serial    bytea;
BEGIN
    SELECT o.number, o.serial, o.secret INTO number, v_serial, secret
    FROM cmp.ocsp_responder o
    WHERE o.ca_id = p_ca AND o.key_id = p_key_id
    ORDER BY o.number DESC
    LIMIT 1;

    SELECT c.state, c.der INTO state, der
    FROM cmp.certificate c
    WHERE c.serial = v_serial AND c.ca_id = p_ca;

    number := coalesce(number, 0);
    state := coalesce(state, -1);

    IF number = p_known OR state <> 1 THEN
        der := NULL;
        secret := NULL;
    END IF;
END
$$;


-- A new responder.  Of several that are made at a time one gets the number, the
-- others lose the race.

CREATE FUNCTION cmp.ocsp_responder_store(
    p_ca            int4,
    p_key_id        bytea,
    p_number        int4,
    p_secret        bytea,
    p_serial        bytea,
    p_der           bytea,
    p_subject_hash  bytea,
    p_subject       text,
    p_key_hash      bytea,
    p_profile       text,
    p_not_before    timestamptz,
    p_not_after     timestamptz)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now   timestamptz := clock_timestamp();
    v_last  int4;
BEGIN
    SELECT max(o.number) INTO v_last FROM cmp.ocsp_responder o
    WHERE o.ca_id = p_ca AND o.key_id = p_key_id;

    IF p_number <> coalesce(v_last, 0) + 1 THEN
        PERFORM cmp.lost('OCSP responder');
    END IF;

    INSERT INTO cmp.ocsp_responder (ca_id, number, not_after, key_id, serial,
        secret)
    VALUES (p_ca, p_number, p_not_after, p_key_id, p_serial, p_secret);

    DELETE FROM cmp.ocsp_responder o
    WHERE o.ca_id = p_ca AND o.key_id = p_key_id AND o.number < p_number
        AND o.not_after < v_now;

    UPDATE cmp.ocsp_responder o SET secret = NULL
    WHERE o.ca_id = p_ca AND o.key_id = p_key_id AND o.number < p_number
        AND o.secret IS NOT NULL;

    PERFORM cmp.claim_key(p_ca, p_key_hash, 0, p_subject_hash, p_serial, true);

    INSERT INTO cmp.certificate (state, ca_id, cert_req_id, issued_at,
        not_before, not_after, serial, key_hash, subject_hash, profile,
        subject, der)
    VALUES (1, p_ca, 0, v_now, p_not_before, p_not_after, p_serial, p_key_hash,
        p_subject_hash, p_profile, p_subject, p_der);

    INSERT INTO cmp.audit (at, ca_id, status, action, requester, serial, text)
    VALUES (v_now, p_ca, 0, 'ocsp responder', 'server', p_serial,
        format('number %s', p_number));
END
$$;
