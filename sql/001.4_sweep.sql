-- Copyright (C) ngx_http_cmp_module contributors
--
-- What is done behind the requests.  Any number of nodes may sweep at the same
-- time: rows that another one works on are skipped.

-- Serial numbers issued at p_at or later are not below this: they begin with
-- the time in ms as 48 bits with the second highest one set.

CREATE FUNCTION cmp.serial_bound(p_at timestamptz) RETURNS bytea
LANGUAGE sql IMMUTABLE AS $$
    SELECT substr(int8send((extract(epoch FROM p_at) * 1000)::int8
                           | x'400000000000'::int8), 3)
$$;


-- One partition a quarter of a year, for certificates and for the audit.
-- Attaching a finished table does not stop readers and writers, as CREATE
-- TABLE ... PARTITION OF would.  Gives the number of partitions made.

CREATE FUNCTION cmp.create_partitions(p_at timestamptz) RETURNS int4
LANGUAGE plpgsql AS $$
DECLARE
    v_from      timestamptz := date_trunc('quarter', p_at, 'UTC');
    v_to        timestamptz;
    v_suffix    text;
    v_made      int4 := 0;
BEGIN
    v_to := (v_from AT TIME ZONE 'UTC' + interval '3 months')
            AT TIME ZONE 'UTC';
    v_suffix := to_char(v_from AT TIME ZONE 'UTC', 'YYYY"q"Q');

    IF to_regclass('cmp.certificate_' || v_suffix) IS NULL THEN
        EXECUTE format('CREATE TABLE cmp.certificate_%1$s'
            ' (LIKE cmp.certificate INCLUDING ALL)'
            ' WITH (fillfactor = 85, toast_tuple_target = 8160)', v_suffix);
        EXECUTE format('ALTER TABLE cmp.certificate'
            ' ATTACH PARTITION cmp.certificate_%1$s'
            ' FOR VALUES FROM (%2$L) TO (%3$L)', v_suffix,
            cmp.serial_bound(v_from), cmp.serial_bound(v_to));
        v_made := v_made + 1;
    END IF;

    IF to_regclass('cmp.audit_' || v_suffix) IS NULL THEN
        EXECUTE format('CREATE TABLE cmp.audit_%1$s'
            ' (LIKE cmp.audit INCLUDING ALL)', v_suffix);
        EXECUTE format('ALTER TABLE cmp.audit'
            ' ATTACH PARTITION cmp.audit_%1$s'
            ' FOR VALUES FROM (%2$L) TO (%3$L)', v_suffix, v_from, v_to);
        EXECUTE format('CREATE TRIGGER audit_keep_all'
            ' BEFORE TRUNCATE ON cmp.audit_%1$s'
            ' FOR EACH STATEMENT EXECUTE FUNCTION cmp.audit_keep()',
            v_suffix);
        v_made := v_made + 1;
    END IF;

    RETURN v_made;
END
$$;


-- Replies that nobody can need: see cmp.reply.  A reply is stored for the
-- current slot or one of the two after it, so the fourth may go.  Gives the
-- number of partitions emptied.

CREATE FUNCTION cmp.empty_replies(p_at timestamptz) RETURNS int4
LANGUAGE plpgsql AS $$
DECLARE
    v_slot  int4 := (floor(date_part('epoch', p_at) / 600)::int8 + 3) % 4;
BEGIN
    IF pg_relation_size(format('cmp.reply_%s', v_slot)::regclass) = 0 THEN
        RETURN 0;
    END IF;

    EXECUTE format('TRUNCATE cmp.reply_%s', v_slot);

    RETURN 1;
END
$$;


-- What takes stronger locks, once a minute on one node.  When a lock cannot
-- be had at once it is left for the next minute.

CREATE FUNCTION cmp.keep_up(p_now timestamptz, OUT emptied int4,
    OUT created int4)
LANGUAGE plpgsql AS $$
BEGIN
    emptied := 0;
    created := 0;

    PERFORM FROM cmp.upkeep u WHERE u.next_at <= p_now
    FOR UPDATE SKIP LOCKED;

    IF NOT FOUND THEN
        RETURN;
    END IF;

    UPDATE cmp.upkeep SET next_at = p_now + interval '1 minute';

    DELETE FROM cmp.crl_piece x WHERE x.at < p_now - interval '1 hour';

    -- no delta CRL refers to them any more

    DELETE FROM cmp.crl c
    WHERE c.next_update < p_now - interval '1 day'
        AND EXISTS (SELECT FROM cmp.crl m
                    WHERE m.ca_id = c.ca_id AND m.partition = c.partition
                        AND m.key_id = c.key_id AND m.delta = c.delta
                        AND m.number > c.number);

    BEGIN
        emptied := cmp.empty_replies(p_now);

    EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
        emptied := 0;
    END;

    FOR i IN 0 .. 1 LOOP
        BEGIN
            created := created
                + cmp.create_partitions(p_now + i * interval '3 months');

        EXCEPTION WHEN lock_not_available OR deadlock_detected
            OR duplicate_table OR unique_violation OR check_violation
        THEN
            RAISE WARNING 'a partition could not be made: %', sqlerrm;
        END;
    END LOOP;
END
$$;


-- The confirmation of one transaction did not come: its certificates that
-- wait for it are revoked.  Gives their number.

CREATE FUNCTION cmp.unconfirmed(p_now timestamptz, p_tx cmp.transaction)
RETURNS int4
LANGUAGE plpgsql AS $$
DECLARE
    v_serial    bytea;
    v_revoked   int4 := 0;
BEGIN
    -- other requests of the transaction may still wait for an operator

    UPDATE cmp.transaction t
    SET version = t.version + 1, confirm_before = NULL,
        state = CASE WHEN w.more THEN 2 ELSE 0 END,
        wake_at = CASE WHEN w.more THEN t.wait_until
            ELSE greatest(t.forget_at, p_now + interval '1 minute') END
    FROM (SELECT p_tx.wait_until IS NOT NULL
                 AND EXISTS (SELECT FROM cmp.request r
                             WHERE r.transaction_id = p_tx.id
                                 AND NOT r.answered)) AS w (more)
    WHERE t.id = p_tx.id;

    FOR v_serial IN
        SELECT c.serial
        FROM unnest(p_tx.serials) AS s (serial)
            JOIN cmp.certificate c
            ON c.serial = s.serial AND c.ca_id = p_tx.ca_id
        WHERE c.state = 0
    LOOP
        IF cmp.change(p_now, p_tx.ca_id, v_serial, NULL, 2, 5, 0, NULL) THEN
            v_revoked := v_revoked + 1;

            INSERT INTO cmp.audit (at, ca_id, action, requester,
                transaction_id, serial, text)
            VALUES (p_now, p_tx.ca_id, 'expire', 'sweeper', p_tx.id,
                v_serial, 'not confirmed in time, revoked');
        END IF;
    END LOOP;

    RETURN v_revoked;
END
$$;


-- The requests of one transaction were not decided, or their results not
-- fetched in time.  The client is told when it asks within two hours.  Gives
-- their number.

CREATE FUNCTION cmp.expired(p_now timestamptz, p_tx cmp.transaction)
RETURNS int4
LANGUAGE plpgsql AS $$
DECLARE
    v_request   cmp.request;
    v_expired   int4 := 0;
BEGIN
    UPDATE cmp.transaction t
    SET version = t.version + 1, state = 0,
        wake_at = greatest(t.forget_at, p_now + interval '2 hours')
    WHERE t.id = p_tx.id;

    DELETE FROM cmp.waiting w WHERE w.transaction_id = p_tx.id;

    FOR v_request IN
        SELECT * FROM cmp.request r
        WHERE r.transaction_id = p_tx.id AND NOT r.answered
            AND r.state IN (0, 1)
        FOR UPDATE
    LOOP
        v_expired := v_expired + 1;

        UPDATE cmp.request r
        SET version = r.version + 1, state = 3, over_at = p_now
        WHERE r.id = v_request.id;

        INSERT INTO cmp.audit (at, ca_id, action, requester, transaction_id,
            serial, text)
        VALUES (p_now, p_tx.ca_id, 'expire', 'sweeper', p_tx.id,
            v_request.target, format('request %s: %s in time', v_request.id,
                CASE v_request.state WHEN 0 THEN 'not decided'
                                     ELSE 'approved, but not fetched' END));
    END LOOP;

    RETURN v_expired;
END
$$;


-- At most 100 transactions whose time is over and 2000 rows to delete a call;
-- "more": one of these limits was reached.

CREATE FUNCTION cmp.sweep(
    OUT unconfirmed int4,
    OUT revoked     int4,
    OUT expired     int4,
    OUT forgotten   int4,
    OUT emptied     int4,
    OUT created     int4,
    OUT more        bool)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '200ms'
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    v_now       timestamptz := clock_timestamp();
    v_tx        cmp.transaction;
    v_looked    int4 := 0;
    v_deleted   int4;
    v_past      int4;
BEGIN
    unconfirmed := 0;
    revoked := 0;
    expired := 0;

    FOR v_tx IN
        SELECT * FROM cmp.transaction t
        WHERE t.wake_at <= v_now AND t.state <> 0
        ORDER BY t.wake_at LIMIT 100
        FOR UPDATE SKIP LOCKED
    LOOP
        v_looked := v_looked + 1;

        IF v_tx.state = 1 THEN
            unconfirmed := unconfirmed + 1;
            revoked := revoked + cmp.unconfirmed(v_now, v_tx);

        ELSE
            expired := expired + cmp.expired(v_now, v_tx);
        END IF;
    END LOOP;

    -- a subquery could be planned so that it, and its limit, begin anew for
    -- each row: only a materialized one runs once for certain

    WITH due AS MATERIALIZED (
        SELECT d.id FROM cmp.transaction d
        WHERE d.wake_at <= v_now AND d.state = 0
        ORDER BY d.wake_at LIMIT 2000
        FOR UPDATE SKIP LOCKED)
    DELETE FROM cmp.transaction t USING due WHERE t.id = due.id;

    GET DIAGNOSTICS forgotten = ROW_COUNT;

    WITH due AS MATERIALIZED (
        SELECT d.request_hash FROM cmp.reply_long d
        WHERE d.expires_at <= v_now
        ORDER BY d.expires_at LIMIT 2000
        FOR UPDATE SKIP LOCKED)
    DELETE FROM cmp.reply_long r USING due
    WHERE r.request_hash = due.request_hash;

    GET DIAGNOSTICS v_deleted = ROW_COUNT;

    WITH due AS MATERIALIZED (
        SELECT d.id FROM cmp.request d
        WHERE d.over_at <= v_now - interval '30 days'
        ORDER BY d.over_at LIMIT 2000
        FOR UPDATE SKIP LOCKED)
    DELETE FROM cmp.request r USING due WHERE r.id = due.id;

    GET DIAGNOSTICS v_past = ROW_COUNT;

    more := v_looked = 100 OR forgotten = 2000 OR v_deleted = 2000
        OR v_past = 2000;

    SELECT k.emptied, k.created INTO emptied, created
    FROM cmp.keep_up(v_now) k;
END
$$;
