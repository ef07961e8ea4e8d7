# The command service: writes secrets with check-and-set, reads them back after a write with unknown outcome, and
# destroys the remains of failed commands.
path "regcred/data/accounts/+/credentials/+"     { capabilities = ["create", "update", "read"] }
path "regcred/destroy/accounts/+/credentials/+"  { capabilities = ["update"] }
path "regcred/metadata/accounts/+/credentials/+" { capabilities = ["read", "delete"] }
# The id of the installation: written once, to a mount that has none.
path "regcred/data/installation"                 { capabilities = ["create", "read"] }
