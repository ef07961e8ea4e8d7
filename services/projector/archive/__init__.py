"""Archive old rows of the audit trail in signed files."""
