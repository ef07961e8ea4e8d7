"""Authentication with service tokens and with JWTs of trusted issuers (ADR 6)."""
