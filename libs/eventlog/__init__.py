"""An append-only event log in PostgreSQL, its consumers, and its publication to RabbitMQ."""
