-- Copyright (C) ngx_http_cmp_module contributors
--
-- OCSP: the state of certificates, and what has changed of late.

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
-- see; with more than 1000 of them none is named.  Without a snapshot there is
-- nothing but one to begin with.

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

    IF cardinality(cas) > 1000 THEN
        everything := true;
        cas := NULL;
        serials := NULL;
    END IF;
END
$$;
