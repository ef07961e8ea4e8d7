"""The command API: HTTP requests to commands, results to responses."""
