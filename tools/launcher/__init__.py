"""`regcred up`, `regcred demo`, and the files of a deployment."""
