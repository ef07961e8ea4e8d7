"""Commands carried out: replay, load, decide, keep the secret, append."""
