"""The command line client. It calls the REST API and imports nothing of the services."""
