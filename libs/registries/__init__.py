"""What is known about container registries in general: host names, providers and their rules."""
