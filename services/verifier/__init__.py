"""See services/README.md."""
