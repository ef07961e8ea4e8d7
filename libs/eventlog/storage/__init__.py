"""The event log in PostgreSQL: migrations, append, reading, positions, checkpoints."""
