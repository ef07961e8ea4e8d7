"""Apply events to the read models, with the checkpoint in the same transaction."""
