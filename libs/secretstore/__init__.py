"""The secret store: one port, with adapters for HashiCorp Vault and an encrypted table of PostgreSQL."""
