"""Where secrets are kept: one port, three adapters (memory, sealed table, HashiCorp Vault)."""
