"""Settings from the environment variables `REGCRED_…`, read once at the start of a process."""
