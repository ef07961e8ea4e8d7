#!/bin/sh
# Unseals the Vault of docker-compose.yml after each start.
#
# The unseal key is in the volume `operator`, which no other server mounts. An attacker with that volume and the volume
# of Vault has the secrets. If that is not acceptable, let Vault unseal itself with the key service of a cloud (`seal`
# in vault.hcl), or remove /operator/unseal.key and unseal by hand. This script then does not touch a sealed Vault.
set -eu
cd "${OPERATOR:-/operator}"
trap 'exit 0' TERM INT

waited=0
# Says what is wrong, at once and then every minute.
complain() {
    [ $((waited % 60)) -ne 0 ] || echo "ERROR: Vault is sealed: $1" >&2
    waited=$((waited + 1))
}

while :; do
    code=0
    vault status >/dev/null 2>&1 || code=$? # 0 unsealed, 2 sealed, 1 no response
    if [ "$code" != 2 ]; then
        waited=0
    elif [ ! -s unseal.key ]; then
        complain "there is no unseal key in the volume operator. Unseal it by hand (vault operator unseal), or write the
key of the last backup to /operator/unseal.key. Without any key its secrets are lost: remove the volume vault-data and
start again."
    # The key is not an argument, which `ps` would show.
    elif ! vault write sys/unseal key=@unseal.key >/dev/null 2>&1; then
        complain "it does not accept the unseal key in the volume operator. The key is of another Vault, or older than the
storage: write the key of the backup to /operator/unseal.key."
    else
        echo "unsealed"
    fi
    sleep 1 &
    wait $! # the shell handles a signal during wait, but not during sleep
done
