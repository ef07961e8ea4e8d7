"""The verifier logs in to registries. It is the only writer of `verification` streams."""
