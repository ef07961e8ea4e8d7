-- Personal data of an account is sealed in its events with a key of the account's. Where that is gone, they cannot be read
-- any more, and the chain over them still holds (ADR 14).
CREATE SCHEMA personal;

-- `wrapped` is the key under the installation's key file; NULL once it is erased. Numbers are never given out again.
-- Outside of es, so that a backup of the log has no keys.
CREATE TABLE personal.keys (
    account_id text NOT NULL,
    number     integer NOT NULL CHECK (number > 0),
    wrapped    bytea,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    erased_at  timestamptz,
    PRIMARY KEY (account_id, number),
    CHECK ((wrapped IS NULL) = (erased_at IS NOT NULL))
);
CREATE UNIQUE INDEX one_in_use ON personal.keys (account_id) WHERE wrapped IS NOT NULL;

-- The key in use of an account; the one that is offered becomes it where there is none. Of two at once one waits for the
-- other's, and takes that. Numbers are random: counted ones begin anew where the log is restored without this table, and an
-- event of the first key would be opened with another one, in vain, and be parked.
CREATE FUNCTION personal.key(p_account text, p_offered bytea, OUT number integer, OUT wrapped bytea)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    LOOP
        SELECT k.number, k.wrapped INTO number, wrapped
            FROM personal.keys k WHERE k.account_id = p_account AND k.wrapped IS NOT NULL;
        IF FOUND THEN
            RETURN;
        END IF;
        INSERT INTO personal.keys (account_id, number, wrapped)
            VALUES (p_account, 1 + floor(random() * 2147483646)::integer, p_offered) ON CONFLICT DO NOTHING;
    END LOOP;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA personal FROM PUBLIC;
GRANT USAGE ON SCHEMA personal TO regcred_credentials, regcred_verifier, regcred_projector, regcred_relay, regcred_query;
GRANT SELECT ON personal.keys TO regcred_credentials, regcred_verifier, regcred_projector, regcred_relay;
GRANT EXECUTE ON FUNCTION personal.key TO regcred_credentials, regcred_verifier, regcred_query;
