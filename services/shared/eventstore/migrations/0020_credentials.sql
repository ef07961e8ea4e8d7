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
    version             bigint NOT NULL
);
CREATE UNIQUE INDEX name_in_account ON credentials.current (account_id, lower(name));
CREATE INDEX candidates ON credentials.current (account_id, registry_host);

-- The only way in which a `credential` stream is written. `p_current` is the row as it is afterwards, NULL once removed.
CREATE FUNCTION credentials.append(
    p_stream uuid, p_account text, p_expected bigint,
    p_ids uuid[], p_types text[], p_schema_versions smallint[], p_data jsonb[], p_meta jsonb[],
    p_key text, p_fingerprint bytea, p_response jsonb, p_current jsonb,
    OUT version bigint, OUT replayed boolean, OUT response jsonb
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT * INTO version, replayed, response
        FROM es.append(p_stream, 'credential', p_account, p_expected, p_ids, p_types, p_schema_versions, p_data,
                       p_meta, p_key, p_fingerprint, p_response);
    IF replayed THEN
        RETURN;
    END IF;
    IF p_expected > 0 THEN
        DELETE FROM credentials.current WHERE credential_id = p_stream;
    END IF;
    IF p_current IS NOT NULL THEN
        INSERT INTO credentials.current
            SELECT (jsonb_populate_record(NULL::credentials.current, p_current || jsonb_build_object(
                'credential_id', p_stream, 'account_id', p_account, 'version', version))).*;
    END IF;
END $$;

REVOKE ALL ON FUNCTION credentials.append FROM PUBLIC;
GRANT USAGE ON SCHEMA credentials TO regcred_credentials, regcred_relay;
GRANT SELECT ON credentials.current TO regcred_credentials, regcred_relay;
GRANT EXECUTE ON FUNCTION credentials.append TO regcred_credentials;
