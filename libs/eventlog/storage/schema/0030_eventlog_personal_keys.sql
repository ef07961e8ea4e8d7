-- Keys of accounts. Personal data in the events of an account is encrypted with its key. After the key is erased, the data
-- cannot be decrypted, and the hash chain stays valid (ADR 14). Not in schema `es`: a backup of the log has no keys.
CREATE SCHEMA personal;

-- `wrapped` is the key, encrypted with the key file of the installation. NULL after erasure. Numbers are not reused.
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

-- The current key of an account. If there is none, the offered key becomes the current one. Of two concurrent calls, one
-- waits for the other and returns its key. Numbers are random. If they were counted and the log was restored without this
-- table, a new key would get the number of an old one, and events of the old key would become dead letters.
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
