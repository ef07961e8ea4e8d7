"""Where secrets are kept: one port, three adapters (memory, encrypted table, HashiCorp Vault)."""
