"""The keys of accounts' personal data, under this installation's key file (ADR 14)."""
