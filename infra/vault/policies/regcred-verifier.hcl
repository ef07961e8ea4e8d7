# The verifier: only reads secrets.
path "regcred/data/accounts/+/credentials/+" { capabilities = ["read"] }
path "regcred/data/installation"             { capabilities = ["read"] }
