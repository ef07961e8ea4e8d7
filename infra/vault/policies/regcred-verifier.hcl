# The verifier: only reads secrets.
path "regcred/data/accounts/+/credentials/+" { capabilities = ["read"] }
