"""The command service: HTTP commands, the only writer of credential streams, and its relay."""
