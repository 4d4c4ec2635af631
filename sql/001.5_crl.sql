-- Copyright (C) ngx_http_cmp_module contributors
--
-- CRLs.  Each is stored with the snapshot in which its entries were read.  It
-- has become stale when a row of cmp.revocation was changed by a transaction
-- that this snapshot does not see: exact whatever the order of commits is,
-- and without a row that every revocation would have to update.
--
-- Transaction ids that a dump brought from another cluster may lie in the
-- future of this one: such changes are no news, and a CRL with such a snapshot
-- is stale.

CREATE FUNCTION cmp.crl_current(
    p_ca            int4,
    p_known         int8,       -- the number that the caller has; 0: none
    p_refresh       int8,       -- ms after this_update
    OUT now         timestamptz,
    OUT number      int8,
    OUT this_update timestamptz,
    OUT next_update timestamptz,
    OUT stale       bool,
    OUT der         bytea)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_snapshot  pg_snapshot;
    v_current   pg_snapshot := pg_current_snapshot();
BEGIN
    now := clock_timestamp();

    SELECT c.number, c.this_update, c.next_update, c.snapshot,
           CASE WHEN c.number <> p_known THEN c.der END
    INTO number, this_update, next_update, v_snapshot, der
    FROM cmp.crl c
    WHERE c.ca_id = p_ca
    ORDER BY c.number DESC LIMIT 1;

    IF NOT FOUND THEN
        number := 0;
        stale := true;
        RETURN;
    END IF;

    stale := now >= this_update + p_refresh * interval '1 millisecond'
        OR now >= next_update
        OR pg_snapshot_xmax(v_snapshot) > pg_snapshot_xmax(v_current)
        OR EXISTS (
            SELECT FROM cmp.revocation r
            WHERE r.ca_id = p_ca
                AND r.change >= pg_snapshot_xmin(v_snapshot)
                AND r.change < pg_snapshot_xmax(v_current)
                AND NOT pg_visible_in_snapshot(r.change, v_snapshot));
END
$$;


-- What the next CRL has to list.  An entry stays until it was in one CRL that
-- was made after the certificate had expired (RFC 5280, 3.3).

CREATE FUNCTION cmp.crl_entries(
    p_ca            int4,
    OUT now         timestamptz,
    OUT number      int8,
    OUT snapshot    pg_snapshot,
    OUT serials     bytea[],
    OUT revoked_at  timestamptz[],
    OUT invalidity  timestamptz[],
    OUT reasons     int4[])
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_last  timestamptz;
BEGIN
    now := clock_timestamp();
    snapshot := pg_current_snapshot();

    SELECT c.number + 1, c.this_update INTO number, v_last
    FROM cmp.crl c
    WHERE c.ca_id = p_ca
    ORDER BY c.number DESC LIMIT 1;

    number := coalesce(number, 1);

    SELECT array_agg(e.serial), array_agg(e.revoked_at),
           array_agg(e.invalidity), array_agg(e.reason::int4)
    INTO serials, revoked_at, invalidity, reasons
    FROM (SELECT r.serial, r.revoked_at, r.invalidity, r.reason
          FROM cmp.revocation r
          WHERE r.ca_id = p_ca AND r.state <> 1
              AND r.not_after >= coalesce(v_last, '-infinity')
          ORDER BY r.serial) e;
END
$$;


CREATE FUNCTION cmp.crl_store(p_ca int4, p_number int8, p_snapshot pg_snapshot,
    p_this_update timestamptz, p_next_update timestamptz, p_der bytea)
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF p_number <> coalesce((SELECT max(c.number) FROM cmp.crl c
                             WHERE c.ca_id = p_ca), 0) + 1
    THEN
        PERFORM cmp.lost('crl');
    END IF;

    INSERT INTO cmp.crl (ca_id, number, this_update, next_update, snapshot,
        der)
    VALUES (p_ca, p_number, p_this_update, p_next_update,
        p_snapshot, p_der);
END
$$;
