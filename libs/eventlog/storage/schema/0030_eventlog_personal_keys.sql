-- Keys of accounts. Personal data of an account is encrypted in its events with its key. Once that is erased, they cannot
-- be decrypted any more, and the chain over them still holds (ADR 14). Not in `es`: a backup of the log has no keys.
CREATE SCHEMA personal;

-- `wrapped` is the key under the installation's key file; NULL once it is erased. A number is never used again.
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

-- The key in use of an account; where there is none, the offered one becomes it. Of two concurrent calls one waits for the
-- other and returns its key. Numbers are random: counted ones would begin anew where the log is restored without this
-- table, and an event of the first key would be decrypted with another, fail, and become a dead letter.
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
