-- The secret store of an installation without Vault. The key file encrypts it: without the file a row reveals nothing.
CREATE SCHEMA encrypted;

CREATE TABLE encrypted.secrets (
    account_id    text NOT NULL,
    credential_id uuid NOT NULL,
    version       integer NOT NULL CHECK (version > 0),
    write_id      text NOT NULL,
    key           text NOT NULL,                 -- name of the key in the key file
    nonce         bytea CHECK (length(nonce) = 12),
    ciphertext    bytea,                         -- NULL: destroyed; the number is never used again
    destroyed     boolean NOT NULL GENERATED ALWAYS AS (ciphertext IS NULL) STORED,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, credential_id, version),
    CHECK ((nonce IS NULL) = (ciphertext IS NULL))
);


-- What binds this database to its key file and to its Vault. The id is random, and Vault has a copy of it. Rows are in the
-- backup of the database, so a restored database belongs to the same installation.
CREATE SCHEMA installation;

CREATE TABLE installation.identity (
    singleton       boolean PRIMARY KEY DEFAULT true CHECK (singleton),  -- one row
    installation_id uuid NOT NULL DEFAULT gen_random_uuid(),
    vault_bound_at  timestamptz  -- since then its secrets are in a Vault that has the id; NULL: no Vault was used
);
INSERT INTO installation.identity DEFAULT VALUES;

-- A check value of each key in the key file: an HMAC under that key. It identifies the key and does not help to find it.
CREATE TABLE installation.key_checks (
    name  text PRIMARY KEY,
    value text NOT NULL
);

-- Record check values of keys that have none yet. The caller has compared the others.
CREATE FUNCTION installation.record_keys(p_names text[], p_values text[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO installation.key_checks (name, value) SELECT * FROM unnest(p_names, p_values) ON CONFLICT DO NOTHING
$$;
REVOKE ALL ON FUNCTION installation.record_keys FROM PUBLIC;

-- Record that a Vault has the id, so that an empty one is not taken for it later.
CREATE FUNCTION installation.record_vault() RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE installation.identity SET vault_bound_at = coalesce(vault_bound_at, clock_timestamp())
$$;
REVOKE ALL ON FUNCTION installation.record_vault FROM PUBLIC;
