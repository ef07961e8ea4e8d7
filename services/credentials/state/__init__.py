"""Compare `credentials.current` and `credentials.usages` with the log, and rebuild them from it."""
