"""The protocol of registries: challenges, realms, tokens, logins and their verdicts, tags and manifests."""
