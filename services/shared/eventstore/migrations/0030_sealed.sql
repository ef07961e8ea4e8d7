-- The secret store of an installation without Vault. Without the key file its rows are noise.
CREATE SCHEMA sealed;

CREATE TABLE sealed.secrets (
    account_id    text NOT NULL,
    credential_id uuid NOT NULL,
    version       integer NOT NULL CHECK (version > 0),
    write_id      text NOT NULL,
    key           text NOT NULL,                 -- which key of the key file
    nonce         bytea CHECK (length(nonce) = 12),
    ciphertext    bytea,                         -- NULL: destroyed; the number is never given out again
    destroyed     boolean NOT NULL GENERATED ALWAYS AS (ciphertext IS NULL) STORED,
    created_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (account_id, credential_id, version),
    CHECK ((nonce IS NULL) = (ciphertext IS NULL))
);

GRANT USAGE ON SCHEMA sealed TO regcred_credentials, regcred_verifier, regcred_relay;
GRANT SELECT, INSERT, UPDATE, DELETE ON sealed.secrets TO regcred_credentials;
GRANT SELECT ON sealed.secrets TO regcred_verifier;
-- Housekeeping destroys; it cannot read what it destroys.
GRANT SELECT (account_id, credential_id, version, destroyed, created_at), UPDATE (ciphertext, nonce), DELETE
    ON sealed.secrets TO regcred_relay;
