"""Operator commands: they call use cases of the services and print the result."""
