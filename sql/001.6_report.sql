-- Copyright (C) ngx_http_cmp_module contributors
--
-- What "cmpctl report" shows: numbers, and nothing secret.  Each function says
-- what it reads, and that once.  A parameter that is NULL does not matter, or
-- has the default.

CREATE FUNCTION cmp.status_name(p_status int4) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce((ARRAY['accepted', 'grantedWithMods', 'rejection',
        'waiting', 'revocationWarning', 'revocationNotification',
        'keyUpdateWarning'])[p_status + 1], p_status::text)
$$;


-- the bits of PKIFailureInfo

CREATE FUNCTION cmp.fail_info_name(p_bit int4) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce((ARRAY['badAlg', 'badMessageCheck', 'badRequest',
        'badTime', 'badCertId', 'badDataFormat', 'wrongAuthority',
        'incorrectData', 'missingTimeStamp', 'badPOP', 'certRevoked',
        'certConfirmed', 'wrongIntegrity', 'badRecipientNonce',
        'timeNotAvailable', 'unacceptedPolicy', 'unacceptedExtension',
        'addInfoNotAvailable', 'badSenderNonce', 'badCertTemplate',
        'signerNotTrusted', 'transactionIdInUse', 'unsupportedVersion',
        'notAuthorized', 'systemUnavail', 'systemFailure',
        'duplicateCertReq'])[p_bit + 1], p_bit::text)
$$;


-- the period that a report is about

CREATE FUNCTION cmp.report_period(p_since timestamptz, p_until timestamptz,
    OUT since timestamptz, OUT until timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    until := least(coalesce(p_until, now()), now());
    since := greatest(coalesce(p_since, until - interval '30 days'),
                      timestamptz '2000-01-01 00:00+00');

    IF since >= until THEN
        PERFORM cmp.refuse('the period ends before it begins');
    END IF;
END
$$;


-- The kind of the public key in a certificate, as "key" of a profile names it;
-- 'unknown' if it is none of these, or the octets are no certificate.

CREATE FUNCTION cmp.key_kind(p_der bytea) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    v_der   bytea := substr(p_der, 1);      -- out of line: fetched once
    v_end   int4 := octet_length(p_der) - 8;
    v_at    int4 := 0;
    v_b     int4;
    v_next  int4;
    v_key   int4;
    v_oid   text;
BEGIN
    -- Into Certificate (1) and TBSCertificate (2), past version (3), which may
    -- be left out, serialNumber, signature, issuer, validity and subject (8),
    -- into SubjectPublicKeyInfo (9) and past its AlgorithmIdentifier (10).

    FOR i IN 1 .. 10 LOOP
        IF v_at > v_end THEN
            RETURN 'unknown';
        END IF;

        CONTINUE WHEN i = 3 AND get_byte(v_der, v_at) <> 160;

        v_b := get_byte(v_der, v_at + 1);
        v_next := v_at + CASE
            WHEN i IN (1, 2, 9) THEN CASE WHEN v_b < 128 THEN 2
                                          ELSE v_b - 126 END
            WHEN v_b < 128 THEN 2 + v_b
            WHEN v_b = 129 THEN 3 + get_byte(v_der, v_at + 2)
            WHEN v_b = 130 THEN 4 + get_byte(v_der, v_at + 2) * 256
                                + get_byte(v_der, v_at + 3)
            WHEN v_b = 131 THEN 5 + get_byte(v_der, v_at + 2) * 65536
                                + get_byte(v_der, v_at + 3) * 256
                                + get_byte(v_der, v_at + 4)
            ELSE v_end + 9 END;

        v_key := v_at;
        v_at := v_next;
    END LOOP;

    -- v_key: AlgorithmIdentifier, v_at: the BIT STRING behind it

    v_oid := encode(substr(v_der, v_key + 5, get_byte(v_der, v_key + 3)),
                    'hex');

    CASE v_oid

    WHEN '2a8648ce3d0201' THEN
        RETURN 'ec:' || CASE encode(substr(v_der, v_key + 14,
                                    greatest(v_at - v_key - 13, 0)), 'hex')
            WHEN '2a8648ce3d030107' THEN 'P-256'
            WHEN '2b81040022' THEN 'P-384'
            WHEN '2b81040023' THEN 'P-521'
            WHEN '2b2403030208010107' THEN 'brainpoolP256r1'
            WHEN '2b240303020801010b' THEN 'brainpoolP384r1'
            WHEN '2b240303020801010d' THEN 'brainpoolP512r1'
            WHEN '2b8104000a' THEN 'secp256k1'
            ELSE 'unknown' END;

    WHEN '2a864886f70d010101', '2a864886f70d01010a' THEN

        -- BIT STRING { SEQUENCE { INTEGER modulus

        FOR i IN 1 .. 3 LOOP
            IF v_at > v_end THEN
                RETURN 'unknown';
            END IF;

            v_b := get_byte(v_der, v_at + 1);
            v_key := CASE v_b WHEN 129 THEN get_byte(v_der, v_at + 2)
                WHEN 130 THEN get_byte(v_der, v_at + 2) * 256
                              + get_byte(v_der, v_at + 3)
                ELSE v_b END;
            v_at := v_at + 2 + greatest(v_b - 128, 0)
                    + CASE i WHEN 1 THEN 1 ELSE 0 END;
        END LOOP;

        IF v_at > v_end THEN
            RETURN 'unknown';
        END IF;

        IF get_byte(v_der, v_at) = 0 THEN
            v_at := v_at + 1;
            v_key := v_key - 1;
        END IF;

        RETURN CASE v_oid WHEN '2a864886f70d010101' THEN 'rsa:'
                          ELSE 'rsa-pss:' END
            || v_key * 8 - 8
               + length(ltrim(get_byte(v_der, v_at)::bit(8)::text, '0'));

    ELSE
        RETURN CASE v_oid
            WHEN '2b6570' THEN 'ed25519'
            WHEN '2b6571' THEN 'ed448'
            WHEN '2b656e' THEN 'x25519'
            WHEN '2b656f' THEN 'x448'
            WHEN '608648016503040311' THEN 'ml-dsa-44'
            WHEN '608648016503040312' THEN 'ml-dsa-65'
            WHEN '608648016503040313' THEN 'ml-dsa-87'
            WHEN '608648016503040314' THEN 'slh-dsa-sha2-128s'
            WHEN '608648016503040315' THEN 'slh-dsa-sha2-128f'
            WHEN '608648016503040316' THEN 'slh-dsa-sha2-192s'
            WHEN '608648016503040317' THEN 'slh-dsa-sha2-192f'
            WHEN '608648016503040318' THEN 'slh-dsa-sha2-256s'
            WHEN '608648016503040319' THEN 'slh-dsa-sha2-256f'
            WHEN '60864801650304031a' THEN 'slh-dsa-shake-128s'
            WHEN '60864801650304031b' THEN 'slh-dsa-shake-128f'
            WHEN '60864801650304031c' THEN 'slh-dsa-shake-192s'
            WHEN '60864801650304031d' THEN 'slh-dsa-shake-192f'
            WHEN '60864801650304031e' THEN 'slh-dsa-shake-256s'
            WHEN '60864801650304031f' THEN 'slh-dsa-shake-256f'
            ELSE 'unknown' END;
    END CASE;
END
$$;


-- Certificates by state, as in cmp.certificate_list(); of those in use, how
-- many expire before p_expires, and how many of these have no confirmed
-- successor.  Reads all certificates, without an index, and the revocations:
-- time and I/O grow with their number, memory does not.

CREATE FUNCTION cmp.report_certificates(
    p_ca            text DEFAULT NULL,
    p_expires       timestamptz DEFAULT now() + interval '30 days')
RETURNS TABLE (ca text, profile text, state text, reason text, count int8,
    expiring int8, not_replaced int8, next_expiry timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now   timestamptz := now();
    v_ca    int4 := cmp.given_ca(p_ca);
BEGIN
    RETURN QUERY
    SELECT a.name, g.profile,
        CASE g.state WHEN -1 THEN 'expired' ELSE cmp.state_name(g.state) END,
        cmp.reason_name(g.reason), g.count, g.expiring, g.not_replaced,
        g.next_expiry
    FROM (SELECT s.ca_id, s.profile, s.state, s.reason, count(*) AS count,
                 count(*) FILTER (WHERE s.expiring) AS expiring,
                 count(*) FILTER (WHERE s.expiring AND NOT s.replaced)
                     AS not_replaced,
                 min(s.not_after) FILTER (WHERE s.state IN (0, 1, 2))
                     AS next_expiry
          FROM (SELECT c.ca_id, c.profile, r.reason, c.replaced, c.not_after,
                       CASE WHEN c.not_after < v_now AND c.state <> 3 THEN -1
                            ELSE c.state END AS state,
                       c.not_after >= v_now AND c.not_after < p_expires
                       AND c.state <> 3 AS expiring
                FROM cmp.certificate c
                    LEFT JOIN cmp.revocation r
                    ON c.state = 3 AND r.ca_id = c.ca_id
                        AND r.serial = c.serial
                WHERE v_ca IS NULL OR c.ca_id = v_ca) s
          GROUP BY s.ca_id, s.profile, s.state, s.reason) g
        JOIN cmp.ca a ON a.id = g.ca_id
    ORDER BY a.name, g.profile, g.state = -1, g.state, g.reason;
END
$$;


-- Kinds of keys of the certificates in use, that is neither revoked nor
-- expired.  Reads all certificates, and decodes those in use.

CREATE FUNCTION cmp.report_keys(p_ca text DEFAULT NULL)
RETURNS TABLE (ca text, key text, count int8)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now   timestamptz := now();
    v_ca    int4 := cmp.given_ca(p_ca);
BEGIN
    RETURN QUERY
    SELECT a.name, g.key, g.count
    FROM (SELECT c.ca_id, cmp.key_kind(c.der) AS key, count(*) AS count
          FROM cmp.certificate c
          WHERE (v_ca IS NULL OR c.ca_id = v_ca)
              AND c.state <> 3 AND c.not_after >= v_now
          GROUP BY 1, 2) g
        JOIN cmp.ca a ON a.id = g.ca_id
    ORDER BY a.name, g.count DESC, g.key;
END
$$;


-- What happened in a period: certificates issued (by profile), revoked or put
-- on hold (by reason; not those that were released again), messages refused
-- (by failInfo).  Reads the certificates whose serial numbers are of the
-- period, by the primary key, those with other serial numbers, all
-- revocations, and the audit of the period, by its primary key.

CREATE FUNCTION cmp.report_activity(
    p_ca            text DEFAULT NULL,
    p_since         timestamptz DEFAULT NULL,   -- 30 days ago
    p_until         timestamptz DEFAULT NULL)   -- now
RETURNS TABLE (ca text, event text, kind text, count int8)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_ca    int4 := cmp.given_ca(p_ca);
    v_since timestamptz;
    v_until timestamptz;
    v_first bytea;
    v_last  bytea;
BEGIN
    SELECT p.since, p.until INTO v_since, v_until
    FROM cmp.report_period(p_since, p_until) p;

    -- the clock of the nginx that issued it is not that of the database

    v_first := cmp.serial_bound(v_since - interval '1 hour');
    v_last := cmp.serial_bound(v_until + interval '1 hour');

    RETURN QUERY
    SELECT a.name, g.event, g.kind, g.count
    FROM (SELECT c.ca_id, 'issued' AS event, c.profile AS kind,
                 count(*) AS count
          FROM (SELECT i.ca_id, i.profile, i.issued_at
                FROM cmp.certificate i
                WHERE i.serial >= v_first AND i.serial < v_last
                UNION ALL
                SELECT o.ca_id, o.profile, o.issued_at
                FROM cmp.certificate_other o
                WHERE o.serial < v_first OR o.serial >= v_last) c
          WHERE (v_ca IS NULL OR c.ca_id = v_ca)
              AND c.issued_at >= v_since AND c.issued_at < v_until
          GROUP BY c.ca_id, c.profile
          UNION ALL
          SELECT r.ca_id, 'revoked', cmp.reason_name(r.reason), count(*)
          FROM cmp.revocation r
          WHERE (v_ca IS NULL OR r.ca_id = v_ca) AND r.state <> 1
              AND r.revoked_at >= v_since AND r.revoked_at < v_until
          GROUP BY r.ca_id, r.reason
          UNION ALL
          SELECT u.ca_id, 'refused', cmp.fail_info_name(u.fail_info), count(*)
          FROM cmp.audit u
          WHERE (v_ca IS NULL OR u.ca_id = v_ca) AND u.status = 2
              AND u.at >= v_since AND u.at < v_until
          GROUP BY u.ca_id, u.fail_info) g
        JOIN cmp.ca a ON a.id = g.ca_id
    ORDER BY a.name, g.event, g.count DESC, g.kind;
END
$$;


-- Requests that wait for an operator (pending), or for the client to fetch the
-- result (approved).  Reads those that are not over, by the index of over_at.

CREATE FUNCTION cmp.report_requests(p_ca text DEFAULT NULL)
RETURNS TABLE (ca text, profile text, type text, state text, count int8,
    oldest timestamptz, next_expiry timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_ca    int4 := cmp.given_ca(p_ca);
BEGIN
    RETURN QUERY
    SELECT a.name, r.profile, cmp.body_name(r.body), s.state, count(*),
        min(r.created_at), min(r.expires_at)
    FROM cmp.request r
        JOIN cmp.ca a ON a.id = r.ca_id,
        LATERAL cmp.request_state_name(r.state, r.expires_at) AS s (state)
    WHERE r.over_at IS NULL AND r.expires_at > now()
        AND (v_ca IS NULL OR r.ca_id = v_ca)
    GROUP BY a.name, r.profile, r.body, s.state
    ORDER BY a.name, r.profile, r.body, s.state;
END
$$;


-- The latest CRL of each kind, as in cmp.crl_show(), and its state:
--
--     missing     the CA has none (it needs a setting "crl" to have one)
--     overdue     nextUpdate has passed
--     awaited     it was to be published anew, nobody has done so yet
--     behind      made before the last change; the next one has it
--     current
--
-- Reads the rows of CRLs without their DER, and, by an index, the changes
-- since then up to the first one.

CREATE FUNCTION cmp.report_crls(p_ca text DEFAULT NULL)
RETURNS TABLE (ca text, partition int4, key int4, kind text, number int8,
    this_update timestamptz, next_update timestamptz, entries int4,
    state text)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM cmp.given_ca(p_ca);

    RETURN QUERY
    SELECT a.name, l.partition, l.previous,
        CASE WHEN l.delta THEN 'delta' WHEN NOT l.delta THEN 'complete' END,
        l.number, l.this_update, l.next_update, l.entries,
        CASE WHEN l.number IS NULL THEN 'missing'
            WHEN l.next_update <= now() THEN 'overdue'
            WHEN l.this_update < a.crl_wanted_at THEN 'awaited'
            WHEN cmp.crl_changed(a.id, l.partition, l.snapshot) THEN 'behind'
            ELSE 'current' END
    FROM cmp.ca a
        LEFT JOIN (SELECT DISTINCT ON (c.ca_id, c.partition, c.previous,
                                       c.delta)
                       c.ca_id, c.partition, c.previous, c.delta, c.number,
                       c.this_update, c.next_update, c.entries, c.snapshot
                   FROM cmp.crl c
                   ORDER BY c.ca_id, c.partition, c.previous, c.delta,
                       c.number DESC) l
        ON l.ca_id = a.id
    WHERE p_ca IS NULL OR a.name = p_ca
    ORDER BY a.name, l.partition, l.previous, l.delta;
END
$$;


-- Rows of the audit in a period by what was done and how it ended.  Reads the
-- audit of the period, by its primary key.

CREATE FUNCTION cmp.report_audit(
    p_ca            text DEFAULT NULL,
    p_since         timestamptz DEFAULT NULL,   -- 30 days ago
    p_until         timestamptz DEFAULT NULL)   -- now
RETURNS TABLE (ca text, action text, status text, count int8,
    last timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_ca    int4 := cmp.given_ca(p_ca);
BEGIN
    RETURN QUERY
    SELECT a.name, g.action, cmp.status_name(g.status), g.count, g.last
    FROM (SELECT u.ca_id, u.action, u.status, count(*) AS count,
                 max(u.at) AS last
          FROM cmp.report_period(p_since, p_until) p
              JOIN cmp.audit u ON u.at >= p.since AND u.at < p.until
          WHERE v_ca IS NULL OR u.ca_id = v_ca
          GROUP BY u.ca_id, u.action, u.status) g
        LEFT JOIN cmp.ca a ON a.id = g.ca_id
    ORDER BY a.name, g.action, g.status;
END
$$;
