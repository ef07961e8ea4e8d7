-- Only the owner of the database records keys, in `regcred migrate` and `regcred up`. With a check value of a key that nobody has,
-- no service would start any more, and `regcred log verify` could not compare what needs the key file.
REVOKE ALL ON FUNCTION installation.record_keys FROM regcred_credentials;
