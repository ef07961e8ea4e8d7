-- What the credentials service knows for certain at every moment, written in the append's own transaction:
-- names are unique here, and the candidates for an image are found here, never in a lagging read model.
CREATE SCHEMA credentials;

CREATE TABLE credentials.current (
    credential_id       uuid PRIMARY KEY REFERENCES es.streams,
    account_id          text NOT NULL,
    name                text NOT NULL,
    provider            text NOT NULL,
    registry_host       text NOT NULL,
    repository_prefixes text[] NOT NULL,
    pull                boolean NOT NULL,
    push                boolean NOT NULL,
    restricted          boolean NOT NULL,
    projects            text[] NOT NULL,
    secret_version      integer NOT NULL,
    expires_at          timestamptz,
    version             bigint NOT NULL,
    added_at            timestamptz NOT NULL,
    verified_version    integer NOT NULL DEFAULT 0,  -- the version of the secret with which the last login was tried
    verification_code   text                         -- how it ended; NULL where it was taken
) WITH (fillfactor = 70);  -- a row that changes stays on its page
CREATE UNIQUE INDEX name_in_account ON credentials.current (account_id, lower(name));
CREATE INDEX candidates ON credentials.current (account_id, registry_host);

-- The only way in which a `credential` stream is written. `p_current` is the row as it is afterwards, NULL once removed.
-- A credential is not added with a key that is being erased, or was: ES426.
CREATE FUNCTION credentials.append(
    p_stream uuid, p_account text, p_expected bigint,
    p_ids uuid[], p_types text[], p_schema_versions smallint[], p_data jsonb[], p_meta jsonb[],
    p_key text, p_fingerprint bytea, p_response jsonb, p_current jsonb,
    OUT version bigint, OUT replayed boolean, OUT response jsonb
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    done record;
    new  credentials.current;
BEGIN
    IF p_expected = 0 THEN
        PERFORM pg_advisory_xact_lock_shared(hashtextextended('account:' || p_account, 0));
        IF EXISTS (SELECT FROM personal.keys k
                   WHERE k.account_id = p_account AND k.number = (p_meta[1]#>>'{personal,key}')::integer
                     AND k.wrapped IS NULL) THEN
            RAISE EXCEPTION 'the key of the account is erased' USING ERRCODE = 'ES426';
        END IF;
    END IF;
    done := es.append(p_stream, 'credential', p_account, p_expected, p_ids, p_types, p_schema_versions, p_data, p_meta,
                      p_key, p_fingerprint, p_response);
    version := done.version; replayed := done.replayed; response := done.response;
    IF replayed THEN
        RETURN;
    END IF;
    IF p_current IS NULL THEN
        DELETE FROM credentials.current WHERE credential_id = p_stream;
        RETURN;
    END IF;
    new := jsonb_populate_record(NULL::credentials.current, p_current);
    new.credential_id := p_stream; new.account_id := p_account; new.version := version;
    IF p_expected = 0 THEN
        new.added_at := clock_timestamp(); new.verified_version := 0;
        INSERT INTO credentials.current SELECT new.*;
    ELSE
        UPDATE credentials.current c
            SET name = new.name, provider = new.provider, registry_host = new.registry_host,
                repository_prefixes = new.repository_prefixes, pull = new.pull, push = new.push,
                restricted = new.restricted, projects = new.projects, secret_version = new.secret_version,
                expires_at = new.expires_at, version = new.version
            WHERE c.credential_id = p_stream;
    END IF;
END $$;

REVOKE ALL ON FUNCTION credentials.append FROM PUBLIC;
GRANT USAGE ON SCHEMA credentials TO regcred_credentials, regcred_relay;
GRANT SELECT ON credentials.current TO regcred_credentials, regcred_relay;
GRANT EXECUTE ON FUNCTION credentials.append TO regcred_credentials;
