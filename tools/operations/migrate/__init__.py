"""`regcred migrate`: prepares database, roles, broker and first tokens of an installation."""
