"""The command line client: it speaks the REST API, and knows nothing of the services behind it."""
