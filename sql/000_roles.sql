-- Copyright (C) ngx_http_cmp_module contributors
--
-- Roles and the schema itself.  Run by whoever runs "cmpctl init", a superuser
-- or a role that may create roles and schemas; may be run any number of times.
--
--     cmp_owner      owns everything, nobody logs in as it
--     cmp_server     nginx: may execute what it needs, sees no table
--     cmp_operator   credentials, revocation, lists
--     cmp_auditor    lists
--
-- Roles belong to the whole cluster: other databases may be busy with the
-- same at the same time.

DO $$
DECLARE
    v_role text;
BEGIN
    IF pg_catalog.current_setting('server_version_num')::int4 < 140000 THEN
        RAISE EXCEPTION 'PostgreSQL 14 or newer is needed';
    END IF;

    IF pg_catalog.current_setting('server_encoding') <> 'UTF8' THEN
        RAISE EXCEPTION 'the encoding of the database must be UTF8';
    END IF;

    FOREACH v_role IN ARRAY
        ARRAY['cmp_owner', 'cmp_server', 'cmp_operator', 'cmp_auditor']
    LOOP
        BEGIN
            IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles
                           WHERE rolname = v_role)
            THEN
                EXECUTE pg_catalog.format('CREATE ROLE %I %s', v_role,
                    CASE v_role WHEN 'cmp_server' THEN 'LOGIN'
                                ELSE 'NOLOGIN' END);
            END IF;

        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;

    IF NOT pg_catalog.pg_has_role(current_user, 'cmp_owner',
        CASE WHEN pg_catalog.current_setting('server_version_num')::int4
                  < 160000 THEN 'MEMBER' ELSE 'SET' END)
    THEN
        EXECUTE 'GRANT cmp_owner TO CURRENT_USER';
    END IF;

    IF pg_catalog.to_regnamespace('cmp') IS NULL THEN
        EXECUTE 'CREATE SCHEMA cmp AUTHORIZATION cmp_owner';
    END IF;
END
$$;
