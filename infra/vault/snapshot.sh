#!/bin/sh
# Backs up Vault's storage, and checks and restores backups. A snapshot is sealed with the unseal key that was current
# at its time: back up that key too, in another place.
#   snapshot.sh save >vault.snap        back up the Vault at VAULT_ADDR
#   snapshot.sh drill <vault.snap       restore into a temporary Vault, and print what the snapshot contains
#   snapshot.sh restore <vault.snap     replace the data of the Vault at VAULT_ADDR. If the snapshot has another unseal
#                                       key, put that key into OPERATOR/restored.key first
# OPERATOR (/operator) is the folder of `unseal.key`.
set -eu
umask 077
operator=${OPERATOR:-/operator}
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null || true; rm -rf "$scratch"' EXIT
trap 'exit 1' INT TERM

as_root() {
    . "$here/root-token.sh"
}

# wait_for CODE: waits up to half a minute until `vault status` exits with CODE (0 unsealed, 2 sealed).
wait_for() {
    tries=0
    while :; do
        code=0
        vault status >/dev/null 2>&1 || code=$?
        [ "$code" != "$1" ] || return 0
        tries=$((tries + 1))
        [ "$tries" -lt 300 ] || { echo "timeout: vault status exits with $code, not $1" >&2; exit 1; }
        sleep 0.1
    done
}

case ${1:-} in
save)
    as_root
    vault operator raft snapshot save "$scratch/vault.snap" >/dev/null
    vault token revoke -self >/dev/null
    cat "$scratch/vault.snap"
    ;;
drill)
    cat >"$scratch/vault.snap"
    mkdir "$scratch/data"
    cat >"$scratch/vault.hcl" <<HCL
storage "raft" {
  path    = "$scratch/data"
  node_id = "drill"
  performance_multiplier = 1
}
listener "tcp" {
  address         = "127.0.0.1:${DRILL_PORT:-18200}"
  cluster_address = "127.0.0.1:${DRILL_CLUSTER_PORT:-18201}"
  tls_disable     = true
}
api_addr      = "http://127.0.0.1:${DRILL_PORT:-18200}"
cluster_addr  = "http://127.0.0.1:${DRILL_CLUSTER_PORT:-18201}"
disable_mlock = true
log_level     = "error"
HCL
    VAULT_ADDR=http://127.0.0.1:${DRILL_PORT:-18200}
    export VAULT_ADDR
    unset VAULT_CACERT
    vault server -config="$scratch/vault.hcl" >"$scratch/log" 2>&1 &
    server=$!
    wait_for 2
    vault operator init -key-shares=1 -key-threshold=1 >"$scratch/init"
    sed -n 's/^Unseal Key 1: //p' "$scratch/init" | tr -d '\n' >"$scratch/key"
    VAULT_TOKEN=$(sed -n 's/^Initial Root Token: //p' "$scratch/init")
    export VAULT_TOKEN
    vault write sys/unseal key=@"$scratch/key" >/dev/null
    wait_for 0
    vault operator raft snapshot restore -force "$scratch/vault.snap" >/dev/null
    unset VAULT_TOKEN
    wait_for 2 # now the unseal key is that of the snapshot
    vault write sys/unseal key=@"$operator/unseal.key" >/dev/null
    wait_for 0
    cp "$operator/unseal.key" "$scratch/unseal.key"
    operator=$scratch
    as_root
    accounts=0 secrets=0 read=0
    for account in $(vault list -format=json regcred/metadata/accounts 2>/dev/null | tr -d '[]{}",'); do
        accounts=$((accounts + 1))
        for id in $(vault list -format=json "regcred/metadata/accounts/${account}credentials" | tr -d '[]{}",'); do
            secrets=$((secrets + 1))
            # A read shows that the key of the snapshot decrypts the secret. Two hundred reads are enough, because each
            # takes a tenth of a second. A secret whose last version is destroyed cannot be read.
            [ "$read" -lt 200 ] || continue
            vault read -format=json "regcred/data/accounts/${account}credentials/$id" >/dev/null 2>&1 || continue
            read=$((read + 1))
        done
    done
    echo "the snapshot is usable: read $read of $secrets secrets in $accounts accounts"
    ;;
restore)
    cat >"$scratch/vault.snap"
    as_root
    vault operator raft snapshot restore -force "$scratch/vault.snap" >/dev/null
    if [ -s "$operator/restored.key" ]; then
        mv "$operator/restored.key" "$operator/unseal.key"
        wait_for 2
        vault write sys/unseal key=@"$operator/unseal.key" >/dev/null
    fi
    wait_for 0
    rm -f "$operator/root.token"
    ;;
*)
    echo "usage: snapshot.sh save|drill|restore" >&2
    exit 2
    ;;
esac
