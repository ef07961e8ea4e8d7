"""`regcred demo`: sample data for a new installation. It uses only the REST API."""
