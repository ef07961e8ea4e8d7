"""What every process stands on: settings, logs, metrics, the database pool, authentication, the web server."""
