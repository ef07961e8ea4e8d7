"""Use cases of the credentials service: replay, load, decide, store the secret, append."""
