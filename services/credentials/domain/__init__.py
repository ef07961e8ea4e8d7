"""The domain of the credentials service: commands, decisions, matching, values. Pure."""
