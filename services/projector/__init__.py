"""The projector: builds the read models, answers queries, archives old audit rows."""
