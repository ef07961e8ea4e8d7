"""The HTTP server of the services: authentication, problem documents, schemas, OpenAPI."""
