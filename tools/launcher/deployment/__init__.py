"""What a deployment in containers needs before its first start, and at each one: see docs/deployment.md."""
