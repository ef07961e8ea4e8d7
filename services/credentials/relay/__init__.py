"""The relay: positions, notifications, publishing, and the housekeeping of secrets."""
