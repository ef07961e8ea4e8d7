"""Commands for operators. They call use cases of the services and print the result."""
