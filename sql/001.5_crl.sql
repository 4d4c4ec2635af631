-- Copyright (C) ngx_http_cmp_module contributors
--
-- CRLs.  Of each kind (a key of the CA, a partition or all certificates,
-- complete or delta) the latest is served.  Each is stored with the snapshot
-- in which its entries were read.  It is stale when a row of cmp.revocation was
-- changed by a transaction that this snapshot does not see: exact whatever the
-- order of commits is, and without a row that every revocation would have to
-- update.
--
-- Transaction ids that a dump brought from another cluster may lie in the
-- future of this one: such changes are no news, and a CRL with such a snapshot
-- is stale.

-- Is there a change that the snapshot does not see?

CREATE FUNCTION cmp.crl_changed(p_ca int4, p_partition int4,
    p_snapshot pg_snapshot) RETURNS bool
LANGUAGE plpgsql STABLE AS $$
DECLARE
    v_current   pg_snapshot := pg_current_snapshot();
BEGIN
    IF pg_snapshot_xmax(p_snapshot) > pg_snapshot_xmax(v_current) THEN
        RETURN true;
    END IF;

    IF p_partition = 0 THEN
        RETURN EXISTS (
            SELECT FROM cmp.revocation r
            WHERE r.ca_id = p_ca
                AND r.change >= pg_snapshot_xmin(p_snapshot)
                AND r.change < pg_snapshot_xmax(v_current)
                AND NOT pg_visible_in_snapshot(r.change, p_snapshot));
    END IF;

    RETURN EXISTS (
        SELECT FROM cmp.revocation r
        WHERE r.ca_id = p_ca AND r.partition = p_partition
            AND r.partition <> 0
            AND r.change >= pg_snapshot_xmin(p_snapshot)
            AND r.change < pg_snapshot_xmax(v_current)
            AND NOT pg_visible_in_snapshot(r.change, p_snapshot));
END
$$;


-- The latest CRL of a kind.  p_refresh: ms after this_update from which it is
-- stale; p_changes: and as soon as something has changed.

CREATE FUNCTION cmp.crl_current(
    p_ca            int4,
    p_partition     int4,       -- 0: all certificates
    p_key_id        bytea,
    p_delta         bool,
    p_known         int8,       -- the number that the caller has; 0: none
    p_refresh       int8,
    p_changes       bool,
    OUT now         timestamptz,
    OUT number      int8,
    OUT this_update timestamptz,
    OUT next_update timestamptz,
    OUT stale       bool,
    OUT octets      int4,       -- of the DER
    OUT der         bytea,      -- the first 1 MB of it
    OUT partitions  int4)       -- that certificates of this CA were put into
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_snapshot  pg_snapshot;
    v_wanted_at timestamptz;
BEGIN
    now := clock_timestamp();

    SELECT a.partitions, a.crl_wanted_at INTO partitions, v_wanted_at
    FROM cmp.ca a WHERE a.id = p_ca;

    SELECT c.number, c.this_update, c.next_update, c.snapshot,
           octet_length(c.der),
           CASE WHEN c.number <> p_known THEN substr(c.der, 1, 1048576) END
    INTO number, this_update, next_update, v_snapshot, octets, der
    FROM cmp.crl c
    WHERE c.ca_id = p_ca AND c.partition = p_partition
        AND c.key_id = p_key_id AND c.delta = p_delta
    ORDER BY c.number DESC LIMIT 1;

    IF NOT FOUND THEN
        number := 0;
        octets := 0;
        stale := true;
        RETURN;
    END IF;

    stale := now >= this_update + p_refresh * interval '1 millisecond'
        OR now >= next_update
        OR this_update < v_wanted_at
        OR pg_snapshot_xmax(v_snapshot)
           > pg_snapshot_xmax(pg_current_snapshot())
        OR (p_changes AND cmp.crl_changed(p_ca, p_partition, v_snapshot));
END
$$;


-- More of the DER of that CRL, from p_offset on; NULL: it was replaced

CREATE FUNCTION cmp.crl_read(p_ca int4, p_partition int4, p_number int8,
    p_offset int4) RETURNS bytea
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT substr(c.der, p_offset + 1, 1048576)
    FROM cmp.crl c
    WHERE c.ca_id = p_ca AND c.partition = p_partition AND c.number = p_number
$$;


-- A number for the next CRL of a kind, and the snapshot and the time that it is
-- to have.  Numbers rise in the order of snapshots, since the row with the
-- last one stays locked until both are known; one that is not used is lost.
--
-- since: of a delta CRL the number of its base, 0 when there is none: the
-- oldest complete CRL that somebody may still use, so that the delta CRL fits
-- to all of them.  Of a complete CRL the one before, 0 when there is none.

CREATE FUNCTION cmp.crl_begin(
    p_ca            int4,
    p_partition     int4,
    p_key_id        bytea,
    p_delta         bool,
    OUT now         timestamptz,
    OUT number      int8,
    OUT replaces    int8,       -- the latest of the kind; 0: none
    OUT since       int8,
    OUT snapshot    pg_snapshot)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO cmp.crl_number AS n (ca_id, partition, last)
    VALUES (p_ca, p_partition, 1)
    ON CONFLICT (ca_id, partition) DO UPDATE SET last = n.last + 1
    RETURNING n.last INTO number;

    snapshot := pg_current_snapshot();
    now := clock_timestamp();

    SELECT coalesce(max(c.number), 0) INTO replaces
    FROM cmp.crl c
    WHERE c.ca_id = p_ca AND c.partition = p_partition
        AND c.key_id = p_key_id AND c.delta = p_delta;

    IF p_delta THEN
        SELECT min(c.number) INTO since
        FROM cmp.crl c
        WHERE c.ca_id = p_ca AND c.partition = p_partition
            AND c.key_id = p_key_id AND NOT c.delta
            AND c.next_update > crl_begin.now
            AND pg_snapshot_xmax(c.snapshot)
                <= pg_snapshot_xmax(crl_begin.snapshot);

    ELSIF replaces <> 0 THEN
        since := replaces;

    ELSE
        -- another key has listed what expired before this one was used

        SELECT max(c.number) INTO since
        FROM cmp.crl c
        WHERE c.ca_id = p_ca AND c.partition = p_partition AND NOT c.delta;
    END IF;

    since := coalesce(since, 0);
END
$$;


-- At most 10 000 of the entries, in the order of serial numbers, from the one
-- behind p_after on.  What was changed since crl_begin() may be in there or
-- not: the CRL is stale then anyway.
--
-- In a complete CRL an entry stays until it was in one CRL that was made after
-- the certificate had expired (RFC 5280, 3.3).  A delta CRL has whatever was
-- changed since its base.

CREATE FUNCTION cmp.crl_entries(
    p_ca            int4,
    p_partition     int4,
    p_delta         bool,
    p_since         int8,       -- from crl_begin()
    p_after         bytea,      -- a serial number; NULL: from the first on
    OUT serials     bytea[],
    OUT revoked_at  timestamptz[],
    OUT invalidity  timestamptz[],
    OUT reasons     int4[],
    OUT more        bool)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_limit     int4 := 10000;
    v_snapshot  pg_snapshot;
    v_at        timestamptz;
    v_rows      text;
BEGIN
    SELECT c.snapshot, c.this_update INTO v_snapshot, v_at
    FROM cmp.crl c
    WHERE c.ca_id = p_ca AND c.partition = p_partition AND c.number = p_since;

    IF p_delta AND NOT FOUND THEN
        PERFORM cmp.lost('base');
    END IF;

    -- planned for these values each time: what to read depends on them

    v_rows := 'SELECT r.serial, r.revoked_at, r.invalidity,'
        ' CASE r.state WHEN 1 THEN 8 ELSE r.reason END AS reason'
        ' FROM cmp.revocation r WHERE r.ca_id = $1'
        || CASE WHEN p_partition = 0 THEN ''
                ELSE ' AND r.partition = $2 AND r.partition <> 0' END
        || CASE WHEN p_delta
                THEN ' AND NOT pg_visible_in_snapshot(r.change, $3)'
                WHEN v_at IS NULL
                THEN ' AND r.state <> 1'
                ELSE ' AND r.state <> 1 AND (r.not_after >= $4'
                     ' OR NOT pg_visible_in_snapshot(r.change, $3))' END;

    IF p_delta AND p_after IS NULL THEN

        -- all at once by the time of the change, unless there are many

        EXECUTE 'SELECT array_agg(e.serial ORDER BY e.serial),'
            ' array_agg(e.revoked_at ORDER BY e.serial),'
            ' array_agg(e.invalidity ORDER BY e.serial),'
            ' array_agg(e.reason::int4 ORDER BY e.serial)'
            ' FROM (' || v_rows || ' AND r.change >= pg_snapshot_xmin($3)'
            ' LIMIT $5 + 1) e'
        INTO serials, revoked_at, invalidity, reasons
        USING p_ca, p_partition, v_snapshot, v_at, v_limit;

        IF coalesce(cardinality(serials), 0) <= v_limit THEN
            more := false;
            RETURN;
        END IF;
    END IF;

    EXECUTE 'SELECT array_agg(e.serial), array_agg(e.revoked_at),'
        ' array_agg(e.invalidity), array_agg(e.reason::int4)'
        ' FROM (' || v_rows || ' AND r.serial > $6'
        ' ORDER BY r.serial LIMIT $5) e'
    INTO serials, revoked_at, invalidity, reasons
    USING p_ca, p_partition, v_snapshot, v_at, v_limit,
        coalesce(p_after, '');

    more := coalesce(cardinality(serials), 0) = v_limit;
END
$$;


-- What does not fit into one message comes ahead of crl_store() in pieces.

CREATE FUNCTION cmp.crl_put(p_ca int4, p_partition int4, p_number int8,
    p_piece int4, p_der bytea) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO cmp.crl_piece (ca_id, partition, number, piece, der)
    VALUES (p_ca, p_partition, p_number, p_piece, p_der)
    ON CONFLICT (ca_id, partition, number, piece)
        DO UPDATE SET der = excluded.der
$$;


-- Of several that replace the same CRL the first one is stored.  p_keep: the
-- complete CRLs before it may be bases of delta CRLs as long as they are
-- valid; their DER is not needed for that.

CREATE FUNCTION cmp.crl_store(
    p_ca            int4,
    p_partition     int4,
    p_key_id        bytea,
    p_delta         bool,
    p_previous      int4,
    p_number        int8,
    p_replaces      int8,
    p_base          int8,       -- 0: a complete one
    p_snapshot      pg_snapshot,
    p_this_update   timestamptz,
    p_next_update   timestamptz,
    p_entries       int4,
    p_keep          bool,
    p_pieces        int4,       -- that were put
    p_der           bytea)      -- the rest
RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_der       bytea := p_der;
    v_pieces    int4;
BEGIN
    IF p_pieces <> 0 THEN
        SELECT string_agg(x.der, '' ORDER BY x.piece) || p_der, count(*)
        INTO v_der, v_pieces
        FROM cmp.crl_piece x
        WHERE x.ca_id = p_ca AND x.partition = p_partition
            AND x.number = p_number;

        IF v_pieces <> p_pieces THEN
            PERFORM cmp.lost('pieces');
        END IF;

        DELETE FROM cmp.crl_piece x
        WHERE x.ca_id = p_ca AND x.partition = p_partition
            AND x.number = p_number;
    END IF;

    IF EXISTS (SELECT FROM cmp.crl c
               WHERE c.ca_id = p_ca AND c.partition = p_partition
                   AND c.key_id = p_key_id AND c.delta = p_delta
                   AND c.number > p_number)
    THEN
        PERFORM cmp.lost('crl');
    END IF;

    INSERT INTO cmp.crl (ca_id, partition, number, replaces, base, entries,
        previous, delta, this_update, next_update, key_id, snapshot, der)
    VALUES (p_ca, p_partition, p_number, p_replaces, nullif(p_base, 0),
        p_entries, p_previous, p_delta, p_this_update, p_next_update, p_key_id,
        p_snapshot, v_der);

    IF p_keep THEN
        UPDATE cmp.crl c SET der = NULL
        WHERE c.ca_id = p_ca AND c.partition = p_partition
            AND c.key_id = p_key_id AND c.delta = p_delta
            AND c.number < p_number AND c.der IS NOT NULL;

    ELSE
        DELETE FROM cmp.crl c
        WHERE c.ca_id = p_ca AND c.partition = p_partition
            AND c.key_id = p_key_id AND c.delta = p_delta
            AND c.number < p_number;
    END IF;
END
$$;


-- The kinds of CRLs that have to be made although nobody asks for them: at
-- most 16 of them, "more" when there are others.

CREATE FUNCTION cmp.crl_due(
    p_ca            int4,
    p_key_ids       bytea[],    -- of the current key and the previous ones
    p_whole         bool,       -- also those with all certificates
    p_refresh       int8,
    p_delta         int8,       -- 0: no delta CRLs
    p_changes       bool,
    OUT previous    int4[],
    OUT partition   int4[],
    OUT delta       int4[],
    OUT more        bool)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT array_agg(d.previous), array_agg(d.partition),
           array_agg(d.delta::int4)
    INTO previous, partition, delta
    FROM (
        SELECT k.n - 1 AS previous, n.n AS partition, x.delta
        FROM cmp.ca a
            CROSS JOIN LATERAL generate_series(
                CASE WHEN p_whole THEN 0 ELSE 1 END, a.partitions) AS n (n)
            CROSS JOIN unnest(p_key_ids) WITH ORDINALITY AS k (id, n)
            CROSS JOIN (VALUES (false), (true)) AS x (delta)
            CROSS JOIN LATERAL cmp.crl_current(p_ca, n.n, k.id, x.delta,
                9223372036854775807,
                CASE WHEN x.delta THEN p_delta ELSE p_refresh END,
                p_changes) AS c
        WHERE a.id = p_ca AND k.id IS NOT NULL
            AND (p_delta <> 0 OR NOT x.delta) AND c.stale
        LIMIT 17) d;

    more := coalesce(cardinality(previous), 0) > 16;

    previous := previous[1 : 16];
    partition := partition[1 : 16];
    delta := delta[1 : 16];
END
$$;
