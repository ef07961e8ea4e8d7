# The housekeeping of the relay: finds, deletes and destroys secrets, but can neither read nor undelete them.
path "regcred/metadata/accounts"                 { capabilities = ["list"] }
path "regcred/metadata/accounts/+/credentials"   { capabilities = ["list"] }
path "regcred/metadata/accounts/+/credentials/+" { capabilities = ["read", "delete"] }
path "regcred/delete/accounts/+/credentials/+"   { capabilities = ["update"] }
path "regcred/destroy/accounts/+/credentials/+"  { capabilities = ["update"] }
path "regcred/data/installation"                 { capabilities = ["read"] }
