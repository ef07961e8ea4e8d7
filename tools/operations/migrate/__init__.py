"""`regcred migrate`: database, roles, broker and first tokens of an installation."""
