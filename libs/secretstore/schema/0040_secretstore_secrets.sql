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
