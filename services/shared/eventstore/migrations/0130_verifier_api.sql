-- The verifier's HTTP part recognises service tokens; it changes none.
GRANT USAGE ON SCHEMA auth TO regcred_verifier;
GRANT SELECT ON auth.tokens TO regcred_verifier;
