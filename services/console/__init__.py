"""The web console: server-rendered pages. It is a client of the REST API, without a database or secrets."""
