# A Vault server for regcred: one node of a raft cluster. Use three or five nodes in production, with retry_join.
storage "raft" {
  path    = "/vault/data/storage" # see initialise.sh
  node_id = "vault-1"
  # A node waits about a second for others before it leads. Set it to 5 if the nodes are far apart.
  performance_multiplier = 1
}
listener "tcp" {
  address         = "0.0.0.0:8200"
  cluster_address = "0.0.0.0:8201"
  tls_cert_file   = "/run/secrets/tls.crt"
  tls_key_file    = "/run/secrets/tls.key"
  tls_min_version = "tls12"
}
api_addr     = "https://vault:8200"
cluster_addr = "https://vault:8201"
# Raft requires this setting. Swap must be off or encrypted.
disable_mlock = true
ui            = false
