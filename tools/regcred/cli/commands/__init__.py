"""The commands of the client, one in a module."""
