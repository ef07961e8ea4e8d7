"""`regcred audit`: proofs of the trail, and its archive."""
