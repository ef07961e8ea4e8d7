"""`regcred projections`: generations of the read models."""
