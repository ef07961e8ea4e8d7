# The command service: writes secrets behind a version, reads them back where a write's outcome was unknown,
# destroys what a failed command left behind.
path "regcred/data/accounts/+/credentials/+"     { capabilities = ["create", "update", "read"] }
path "regcred/destroy/accounts/+/credentials/+"  { capabilities = ["update"] }
path "regcred/metadata/accounts/+/credentials/+" { capabilities = ["read", "delete"] }
