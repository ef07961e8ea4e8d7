-- The right of the credentials service to write `revoked_at`, which only a process of 0.9.0 uses, revokes and does nothing else: a
-- revoked token stays revoked, and at a time that exists. The owner, and so auth.append, is not limited.
SET LOCAL lock_timeout = '5s';
ALTER TABLE auth.tokens ENABLE ROW LEVEL SECURITY;
CREATE POLICY reads ON auth.tokens FOR SELECT TO regcred_credentials, regcred_query, regcred_verifier USING (true);
CREATE POLICY revokes ON auth.tokens FOR UPDATE TO regcred_credentials
    USING (revoked_at IS NULL) WITH CHECK (revoked_at <= clock_timestamp() + interval '1 day');
