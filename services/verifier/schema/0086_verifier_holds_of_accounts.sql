-- Holds after refusals, for each account. Usernames are folded as registries compare them. Only the release before
-- reads verifier.holds.
CREATE TABLE verifier.account_holds (
    account_id    text NOT NULL,
    registry_host text NOT NULL,
    username      text NOT NULL,
    until         timestamptz NOT NULL,
    refusals      integer NOT NULL,
    outcome       text NOT NULL,
    PRIMARY KEY (account_id, registry_host, username)
);
CREATE INDEX account_holds_until ON verifier.account_holds (until);

-- The pace of a username over all accounts: a token bucket, which is full at `full_at`. `limited_until`: the registry
-- refuses all logins of the user until then.
CREATE TABLE verifier.login_paces (
    registry_host text NOT NULL,
    username      text NOT NULL,
    full_at       timestamptz NOT NULL,
    limited_until timestamptz,
    PRIMARY KEY (registry_host, username)
);

-- A hold defers the scheduled logins of its user, whatever the spelling.
CREATE INDEX schedule_users ON verifier.schedule (registry_host, lower(username));

GRANT SELECT, INSERT, UPDATE, DELETE ON verifier.account_holds, verifier.login_paces TO regcred_verifier;
