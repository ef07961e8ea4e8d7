#!/bin/sh
# Initialises the storage of the Vault of docker-compose.yml, before Vault starts for the first time.
#
# Only the response to the initialisation contains the unseal key. So a temporary Vault initialises the storage in the
# folder `new`, which becomes `storage` when the key is in the volume `operator`. A run that is interrupted leaves no
# storage without its key: the next run starts again, or finishes the last step.
set -eu
umask 077
operator=${OPERATOR:-/operator}
data=${DATA:-/vault/data}
config=${CONFIG:-/infra/vault/vault.hcl}

if [ -e "$data/storage" ]; then
    [ ! -s "$operator/unseal.new" ] || mv "$operator/unseal.new" "$operator/unseal.key"
    exit 0
fi
if [ -s "$operator/unseal.key" ]; then
    cat >&2 <<MESSAGE
ERROR: there is an unseal key in the volume operator, but the storage of Vault is empty: the volume vault-data was lost
or replaced. If there is a backup, save the unseal key, remove it from the volume, start, and restore the backup
(docs/runbook.md, "Restore into a new deployment").
MESSAGE
    exit 1
fi

rm -rf "$data/new" "$operator/unseal.new"
mkdir "$data/new"
# As vault.hcl, but reachable from here only and therefore without TLS.
sed '/^listener/,/^}/d' "$config" >"$data/new/vault.hcl"
cat >>"$data/new/vault.hcl" <<HCL
listener "tcp" {
  address         = "127.0.0.1:${PORT:-8200}"
  cluster_address = "127.0.0.1:${CLUSTER_PORT:-8201}"
  tls_disable     = true
}
HCL
VAULT_ADDR=http://127.0.0.1:${PORT:-8200}
export VAULT_ADDR
VAULT_RAFT_PATH=$data/new vault server -config="$data/new/vault.hcl" >"$data/new/log" 2>&1 &
server=$!
trap 'kill "$server" 2>/dev/null || true' EXIT
tries=0
until code=0; vault status >/dev/null 2>&1 || code=$?; [ "$code" = 2 ]; do # 2: it responds, and is sealed
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || { cat "$data/new/log" >&2; exit 1; }
    sleep 0.1
done
response=$(vault operator init -key-shares=1 -key-threshold=1)
echo "$response" | sed -n 's/^Initial Root Token: //p' >"$operator/root.token"
echo "$response" | sed -n 's/^Unseal Key 1: //p' | tr -d '\n' >"$operator/unseal.new"
[ -s "$operator/unseal.new" ]
kill "$server"
wait "$server" || true
rm "$data/new/log" "$data/new/vault.hcl"
sync
mv "$data/new" "$data/storage"
mv "$operator/unseal.new" "$operator/unseal.key"
echo "initialised"
