"""Events into the rows of the read models, with the checkpoint in one transaction."""
