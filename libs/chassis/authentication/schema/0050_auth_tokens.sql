-- Service tokens. Only the HMAC of a token under the pepper of the key file is stored, not the token.
CREATE SCHEMA auth;

CREATE TABLE auth.tokens (
    token_id   text PRIMARY KEY,
    name       text NOT NULL,
    hash       bytea NOT NULL CHECK (length(hash) = 32),
    scopes     text[] NOT NULL CHECK (cardinality(scopes) > 0),
    accounts   text[],  -- NULL: all
    projects   text[],  -- NULL: all
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    expires_at timestamptz,
    revoked_at timestamptz
);
