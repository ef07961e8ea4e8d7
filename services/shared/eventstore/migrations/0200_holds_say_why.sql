-- Why nobody logs in as that user: who only reads with a login that is good waits for no refusal of somebody else's.
ALTER TABLE verifier.holds ADD COLUMN outcome text NOT NULL DEFAULT 'bad_credential';
ALTER TABLE verifier.holds ALTER COLUMN outcome DROP DEFAULT;
