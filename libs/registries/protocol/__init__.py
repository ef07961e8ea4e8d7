"""The login at a registry: addresses, dialling, HTTP, challenges, realms, verdicts."""
