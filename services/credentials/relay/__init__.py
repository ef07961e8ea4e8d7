"""The relay: positions after commit, wake-ups, publishing, and the housekeeping of secrets."""
