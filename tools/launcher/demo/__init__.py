"""`regcred demo`: an installation with something in it to look at. It speaks the REST API alone."""
