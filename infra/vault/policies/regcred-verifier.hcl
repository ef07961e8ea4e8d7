# The verifier reads, and nothing else.
path "regcred/data/accounts/+/credentials/+" { capabilities = ["read"] }
