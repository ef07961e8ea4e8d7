"""The verifier's HTTP part: logins tried before they are kept, registries looked into with those that are."""
