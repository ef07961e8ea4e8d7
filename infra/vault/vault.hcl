# A Vault server for regcred: one node of a raft cluster. Three or five of them in production; add retry_join.
storage "raft" {
  path    = "/vault/data"
  node_id = "vault-1"
  # How long it looks for others before it leads: about a second. Raise it to 5 where nodes are far apart.
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
# Raft wants this said. Swap has to be off, or encrypted.
disable_mlock = true
ui            = false
