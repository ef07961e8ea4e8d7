"""The verifier: logs in to registries, the only writer of verification streams."""
