"""`regcred installation`: what binds database, key file and Vault to one installation."""
