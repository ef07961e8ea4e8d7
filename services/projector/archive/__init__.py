"""Old rows of the audit trail, moved into signed files."""
