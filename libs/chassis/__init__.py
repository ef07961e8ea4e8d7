"""The chassis of every process: settings, logs, metrics, database pool, authentication, web server."""
