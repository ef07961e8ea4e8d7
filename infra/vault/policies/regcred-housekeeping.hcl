# The housekeeping of the relay: finds and destroys secrets, but cannot read them.
path "regcred/metadata/accounts"                 { capabilities = ["list"] }
path "regcred/metadata/accounts/+/credentials"   { capabilities = ["list"] }
path "regcred/metadata/accounts/+/credentials/+" { capabilities = ["read", "delete"] }
path "regcred/delete/accounts/+/credentials/+"   { capabilities = ["update"] }
path "regcred/destroy/accounts/+/credentials/+"  { capabilities = ["update"] }
path "regcred/data/installation"                 { capabilities = ["read"] }
