"""The token minter: short-lived logins, created from stored keys of Amazon, Google and Azure."""
