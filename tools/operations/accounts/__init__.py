"""`regcred accounts`: erasure of personal data."""
