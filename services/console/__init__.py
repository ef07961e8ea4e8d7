"""The web console: server-rendered pages, a client of the REST API that holds no database and no secret."""
