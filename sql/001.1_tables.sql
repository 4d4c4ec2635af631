-- Copyright (C) ngx_http_cmp_module contributors
--
-- Version 1 of the schema: tables.  Indexes are few, since each one costs
-- write-ahead log on the path of every request; columns that change come
-- first and have a fixed width, so that the log of an update stays small.
--
-- In the tables that requests write, values are checked by domains: the text
-- of a CHECK of a table would be parsed again for each row inserted.

CREATE DOMAIN cmp.sha256 AS bytea CHECK (octet_length(VALUE) = 32);
CREATE DOMAIN cmp.key_id AS bytea CHECK (octet_length(VALUE) = 16);
CREATE DOMAIN cmp.serial AS bytea CHECK (octet_length(VALUE) BETWEEN 1 AND 20);
CREATE DOMAIN cmp.transaction_id AS bytea
    CHECK (octet_length(VALUE) BETWEEN 1 AND 64);

-- cmp_tx_state_e, cmp_protection_kind_e, cmp_cert_state_e and
-- cmp_request_state_e in src/core/cmp_store.h
CREATE DOMAIN cmp.tx_state AS int2 CHECK (VALUE BETWEEN 0 AND 2);
CREATE DOMAIN cmp.protection_kind AS int2 CHECK (VALUE BETWEEN 0 AND 2);
CREATE DOMAIN cmp.cert_state AS int2 CHECK (VALUE BETWEEN 0 AND 3);
CREATE DOMAIN cmp.request_state AS int2 CHECK (VALUE BETWEEN 0 AND 6);


CREATE TABLE cmp.schema_version (
    version         int4 PRIMARY KEY,
    applied_at      timestamptz NOT NULL DEFAULT pg_catalog.now()
);


CREATE TABLE cmp.ca (
    id              int4 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name            text NOT NULL UNIQUE
                    CHECK (octet_length(name) BETWEEN 1 AND 64),
    certificate     bytea,          -- as the servers last gave it
    partitions      int4 NOT NULL DEFAULT 0,    -- of CRLs, the most ever used
    crl_wanted_at   timestamptz NOT NULL DEFAULT '-infinity',
    created_at      timestamptz NOT NULL DEFAULT now(),
    changed_at      timestamptz NOT NULL DEFAULT now()
);


CREATE TABLE cmp.credential (
    id              int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ca_id           int4 NOT NULL REFERENCES cmp.ca,
    reference       bytea NOT NULL
                    CHECK (octet_length(reference) BETWEEN 1 AND 256),
    secret          bytea               -- sealed, see cmp_seal.h
                    CHECK (octet_length(secret) BETWEEN 30 AND 1053),
    token_hash      bytea               -- SHA-256 of a regToken
                    CHECK (octet_length(token_hash) = 32),
    profiles        text[] NOT NULL DEFAULT '{}'
                    CHECK (cardinality(profiles) <= 64),
    subject         text NOT NULL DEFAULT ''
                    CHECK (octet_length(subject) <= 1024),
    sans            text[] NOT NULL DEFAULT '{}'
                    CHECK (cardinality(sans) <= 64),
    uses_left       int4 NOT NULL DEFAULT -1 CHECK (uses_left >= -1),
    not_after       timestamptz,
    disabled        bool NOT NULL DEFAULT false,
    may_revoke      bool NOT NULL DEFAULT false,
    token_needed    bool NOT NULL DEFAULT false,
    created_at      timestamptz NOT NULL DEFAULT now(),
    changed_at      timestamptz NOT NULL DEFAULT now(),

    UNIQUE (ca_id, reference),
    UNIQUE (ca_id, token_hash),
    CHECK ((secret IS NULL) <> (token_hash IS NULL))
) WITH (fillfactor = 70);


-- Live and ended transactions, deleted in batches.  wake_at is when the
-- sweeper has to look: the end of the time for a certConf or for requests that
-- wait, or the time to forget it.

CREATE TABLE cmp.transaction (
    wake_at         timestamptz NOT NULL,
    confirm_before  timestamptz,
    wait_until      timestamptz,        -- NULL: no request has ever waited
    forget_at       timestamptz NOT NULL,
    version         int4 NOT NULL,
    ca_id           int4 NOT NULL,
    state           cmp.tx_state NOT NULL,
    body            int2 NOT NULL,
    kind            cmp.protection_kind NOT NULL,
    credential_id   int8,
    id              cmp.transaction_id PRIMARY KEY,
    signer_hash     cmp.sha256,
    signer_serial   bytea,
    signer          bytea,
    protection_alg  bytea,
    sender_nonce    bytea,
    nonces          bytea[] NOT NULL,   -- of the requests
    request_hashes  bytea[] NOT NULL,   -- whose replies are stored,
    reply_slots     int2[] NOT NULL,    -- and where
    serials         bytea[] NOT NULL    -- certificates issued in it
) WITH (toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.05,
        autovacuum_vacuum_cost_delay = 0);

CREATE INDEX transaction_wake_at ON cmp.transaction (wake_at);


-- Stored replies.  Slots 0 to 3 are a ring of ten minutes each by the time a
-- reply is needed until; the sweeper empties the one that nobody can need.
-- What is needed for more than 20 minutes is in slot 4, deleted in batches.

CREATE TABLE cmp.reply (
    expires_at      timestamptz NOT NULL,
    slot            int2 NOT NULL,
    request_hash    cmp.sha256 NOT NULL,
    reply           bytea NOT NULL
) PARTITION BY LIST (slot);

CREATE TABLE cmp.reply_0 PARTITION OF cmp.reply FOR VALUES IN (0)
    WITH (toast_tuple_target = 8160, autovacuum_enabled = off);
CREATE TABLE cmp.reply_1 PARTITION OF cmp.reply FOR VALUES IN (1)
    WITH (toast_tuple_target = 8160, autovacuum_enabled = off);
CREATE TABLE cmp.reply_2 PARTITION OF cmp.reply FOR VALUES IN (2)
    WITH (toast_tuple_target = 8160, autovacuum_enabled = off);
CREATE TABLE cmp.reply_3 PARTITION OF cmp.reply FOR VALUES IN (3)
    WITH (toast_tuple_target = 8160, autovacuum_enabled = off);
CREATE TABLE cmp.reply_long PARTITION OF cmp.reply FOR VALUES IN (4)
    WITH (toast_tuple_target = 8160, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX reply_request_hash ON cmp.reply (request_hash);
CREATE INDEX reply_long_expires_at ON cmp.reply_long (expires_at);


-- Requests that wait for an operator, and their past for 30 days.  The message
-- that they came in is decided again when the client asks for the result.

CREATE TABLE cmp.request (
    created_at      timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    decided_at      timestamptz,
    over_at         timestamptz,        -- nothing changes any more
    id              int8 GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    version         int4 NOT NULL DEFAULT 1,
    ca_id           int4 NOT NULL,
    cert_req_id     int4 NOT NULL,
    state           cmp.request_state NOT NULL DEFAULT 0,
    body            int2 NOT NULL,
    answered        bool NOT NULL DEFAULT false,
    transaction_id  cmp.transaction_id NOT NULL,
    key_hash        bytea,
    target          bytea,              -- certificate to update or to revoke
    serial          bytea,              -- issued
    profile         text NOT NULL,
    subject         text NOT NULL,
    sans            text NOT NULL,
    text            text NOT NULL,
    requester       text NOT NULL,
    client          text NOT NULL,
    decided_by      text,
    reason          text
);

CREATE INDEX request_transaction ON cmp.request (transaction_id);
CREATE INDEX request_over_at ON cmp.request (over_at);

CREATE TABLE cmp.waiting (
    transaction_id  cmp.transaction_id PRIMARY KEY,
    serials         bytea[] NOT NULL,   -- certificates and keys that are
    keys            bytea[] NOT NULL,   -- loaded with it
    message         bytea NOT NULL
);


-- Certificates, partitioned by the time of issue, which is what their serial
-- numbers begin with (see cmp.serial_bound()).  Serials of another form are
-- in the default partition.

CREATE TABLE cmp.certificate (
    version         int4 NOT NULL DEFAULT 1,
    state           cmp.cert_state NOT NULL,
    used            bool NOT NULL DEFAULT false,
    replaced        bool NOT NULL DEFAULT false,
    retired         bool NOT NULL DEFAULT false,
    partition       int2 NOT NULL DEFAULT 0,    -- of CRLs; 0: none
    ca_id           int4 NOT NULL,
    cert_req_id     int4 NOT NULL,
    credential_id   int8,
    issued_at       timestamptz NOT NULL,
    not_before      timestamptz NOT NULL,
    not_after       timestamptz NOT NULL,
    serial          cmp.serial NOT NULL,
    transaction_id  bytea,
    key_hash        cmp.sha256 NOT NULL,
    subject_hash    cmp.sha256 NOT NULL,
    profile         text NOT NULL,
    subject         text NOT NULL,
    der             bytea NOT NULL,
    predecessor     bytea,
    key_previous    bytea,      -- the certificate before with the same key
    successor       bytea,

    PRIMARY KEY (serial, ca_id)
) PARTITION BY RANGE (serial);

CREATE TABLE cmp.certificate_other PARTITION OF cmp.certificate DEFAULT
    WITH (fillfactor = 85, toast_tuple_target = 8160);


-- One row for each public key ever certified by a CA.  A table of its own and
-- never partitioned, so that the primary key decides who has a key.  The SKI
-- of a certificate begins with key_id, so nothing else has to find a key by it.

CREATE TABLE cmp.key (
    version         int4 NOT NULL DEFAULT 1,
    ca_id           int4 NOT NULL,
    confirmed       bool NOT NULL,
    compromised     bool NOT NULL DEFAULT false,
    key_id          cmp.key_id NOT NULL,    -- of the SHA-256 the first half
    subject_hash    cmp.sha256 NOT NULL,
    serial          bytea NOT NULL,         -- of the latest certificate

    PRIMARY KEY (ca_id, key_id)
) WITH (fillfactor = 90);


-- What CRLs are made of; a certificate that was released from hold keeps its
-- row.  "change" is the transaction that last changed the row, so that a CRL
-- and its snapshot tell whether it is in there.

CREATE TABLE cmp.revocation (
    ca_id           int4 NOT NULL,
    state           int2 NOT NULL CHECK (state IN (1, 2, 3)),
    reason          int2 NOT NULL CHECK (reason BETWEEN 0 AND 10),
    by              int2 NOT NULL CHECK (by BETWEEN 0 AND 4),
    partition       int2 NOT NULL DEFAULT 0,
    change          xid8 NOT NULL,
    revoked_at      timestamptz NOT NULL,
    invalidity      timestamptz,
    not_after       timestamptz NOT NULL,
    serial          bytea NOT NULL,

    PRIMARY KEY (ca_id, serial)
);

CREATE INDEX revocation_change ON cmp.revocation (ca_id, change);
CREATE INDEX revocation_partition ON cmp.revocation (ca_id, partition, serial)
    WHERE partition <> 0;
CREATE INDEX revocation_partition_change
    ON cmp.revocation (ca_id, partition, change) WHERE partition <> 0;


-- CRLs, see 001.5_crl.sql.  Without DER: only needed because a delta CRL may
-- refer to it.  "replaces" decides who makes the next one.

CREATE TABLE cmp.crl (
    ca_id           int4 NOT NULL,
    partition       int4 NOT NULL DEFAULT 0,    -- 0: all certificates
    number          int8 NOT NULL CHECK (number > 0),
    replaces        int8 NOT NULL DEFAULT 0,
    base            int8,           -- of a delta CRL
    entries         int4 NOT NULL DEFAULT 0,
    previous        int4 NOT NULL DEFAULT 0,    -- of the key when it was made:
                                    -- 0: the current one, n: the nth previous
    delta           bool NOT NULL DEFAULT false,
    this_update     timestamptz NOT NULL,
    next_update     timestamptz NOT NULL CHECK (next_update > this_update),
    key_id          bytea NOT NULL, -- authorityKeyIdentifier
    snapshot        pg_snapshot NOT NULL,
    der             bytea,

    PRIMARY KEY (ca_id, partition, number),
    UNIQUE (ca_id, partition, key_id, delta, replaces),
    CHECK (delta = (base IS NOT NULL))
);

-- A large CRL on its way into the store; what is left over goes after an hour.

CREATE UNLOGGED TABLE cmp.crl_piece (
    at              timestamptz NOT NULL DEFAULT now(),
    ca_id           int4 NOT NULL,
    partition       int4 NOT NULL,
    number          int8 NOT NULL,
    piece           int4 NOT NULL,
    der             bytea NOT NULL,

    PRIMARY KEY (ca_id, partition, number, piece)
);

ALTER TABLE cmp.crl_piece ALTER der SET STORAGE EXTERNAL;

-- The last number that was taken.

CREATE TABLE cmp.crl_number (
    ca_id           int4 NOT NULL,
    partition       int4 NOT NULL,
    last            int8 NOT NULL,

    PRIMARY KEY (ca_id, partition)
);

ALTER TABLE cmp.crl ALTER der SET STORAGE EXTERNAL;


-- OCSP responders, one after the other for each key of a CA; the private key
-- of the latest alone is kept.  Their certificates are in cmp.certificate.

CREATE TABLE cmp.ocsp_responder (
    ca_id           int4 NOT NULL REFERENCES cmp.ca,
    number          int4 NOT NULL CHECK (number > 0),
    not_after       timestamptz NOT NULL,
    key_id          bytea NOT NULL, -- SKI of the key that issued it
    serial          bytea NOT NULL,
    secret          bytea           -- sealed, see cmp_ocsp_responder_make()
                    CHECK (octet_length(secret) BETWEEN 30 AND 8221),

    PRIMARY KEY (ca_id, key_id, number)
);


-- The successor of the root above a CA, for clients that ask for it.

CREATE TABLE cmp.rollover (
    ca_id           int4 PRIMARY KEY REFERENCES cmp.ca,
    new_with_new    bytea NOT NULL
                    CHECK (octet_length(new_with_new) BETWEEN 1 AND 65536),
    new_with_old    bytea
                    CHECK (octet_length(new_with_old) BETWEEN 1 AND 65536),
    old_with_new    bytea
                    CHECK (octet_length(old_with_new) BETWEEN 1 AND 65536),
    old_root        bytea
                    CHECK (octet_length(old_root) BETWEEN 1 AND 65536),
    created_at      timestamptz NOT NULL DEFAULT now()
);


-- The audit: one row for each decision, written in the transaction of the
-- decision, never changed.

CREATE SEQUENCE cmp.audit_id AS int8;

CREATE TABLE cmp.audit (
    at              timestamptz NOT NULL,
    id              int8 NOT NULL DEFAULT nextval('cmp.audit_id'),
    ca_id           int4,
    status          int2,
    fail_info       int2,
    action          text NOT NULL,
    requester       text NOT NULL,
    client          text NOT NULL DEFAULT '',
    transaction_id  bytea,
    serial          bytea,
    text            text NOT NULL DEFAULT '',

    PRIMARY KEY (at, id)
) PARTITION BY RANGE (at);

CREATE TABLE cmp.audit_other PARTITION OF cmp.audit DEFAULT;


CREATE FUNCTION cmp.audit_keep() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the audit is never changed'
        USING ERRCODE = 'insufficient_privilege';
END
$$;

CREATE TRIGGER audit_keep BEFORE UPDATE OR DELETE ON cmp.audit
    FOR EACH ROW EXECUTE FUNCTION cmp.audit_keep();
CREATE TRIGGER audit_keep_all BEFORE TRUNCATE ON cmp.audit
    FOR EACH STATEMENT EXECUTE FUNCTION cmp.audit_keep();
CREATE TRIGGER audit_keep_all BEFORE TRUNCATE ON cmp.audit_other
    FOR EACH STATEMENT EXECUTE FUNCTION cmp.audit_keep();


-- One row: when the sweeper next looks after partitions.

CREATE TABLE cmp.upkeep (
    one             bool PRIMARY KEY DEFAULT true CHECK (one),
    next_at         timestamptz NOT NULL DEFAULT '-infinity'
);

INSERT INTO cmp.upkeep DEFAULT VALUES;
