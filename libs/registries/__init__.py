"""Container registries: providers, hosts, image references, logins, and the protocol."""
