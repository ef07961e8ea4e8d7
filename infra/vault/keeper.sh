#!/bin/sh
# Initialises the Vault of docker-compose.yml at its first start, and unseals it after each later start.
#
# The unseal key is in the volume `operator`, which no other service mounts. An attacker with that volume and the volume
# of Vault has the secrets. If that is not acceptable, let Vault unseal itself with the key service of a cloud (`seal`
# in vault.hcl), or remove /operator/unseal.key and unseal by hand. This script then does not touch a sealed Vault.
set -eu
umask 077
cd /operator
trap 'exit 0' TERM INT

while :; do
    code=0
    vault status >/dev/null 2>&1 || code=$? # 0 unsealed, 2 sealed, 1 no response
    if [ "$code" = 2 ]; then
        if vault status | grep -q '^Initialized *false'; then
            echo "initialising"
            vault operator init -key-shares=1 -key-threshold=1 >init.new
            sed -n 's/^Unseal Key 1: //p' init.new | tr -d '\n' >unseal.key
            sed -n 's/^Initial Root Token: //p' init.new >root.token
            rm init.new
        fi
        if [ -s unseal.key ]; then
            echo "unsealing"
            vault write sys/unseal key=@unseal.key >/dev/null || true # not as an argument, which `ps` would show
        fi
    fi
    sleep 1 &
    wait $! # the shell handles a signal during wait, but not during sleep
done
