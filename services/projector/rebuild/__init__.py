"""Build new generations of the read models from the log, while the live generation is in use."""
