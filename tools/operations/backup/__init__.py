"""`regcred backup` and `regcred restore`: the backup of an installation in the one-machine mode."""
