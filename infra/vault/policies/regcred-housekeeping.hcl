# The relay's housekeeping finds and destroys; it cannot read a secret.
path "regcred/metadata/accounts"                 { capabilities = ["list"] }
path "regcred/metadata/accounts/+/credentials"   { capabilities = ["list"] }
path "regcred/metadata/accounts/+/credentials/+" { capabilities = ["read", "delete"] }
path "regcred/destroy/accounts/+/credentials/+"  { capabilities = ["update"] }
