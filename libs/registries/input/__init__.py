"""Parsers for the input of users and platforms: secrets in all forms, and images. Pure."""
