#!/bin/sh
# Keep the one Vault of docker-compose.yml open: initialise it at its first start, unseal it after each other one.
#
# The unseal key lies in the volume `operator`, which no other service mounts: whoever has that volume and Vault's
# has the secrets. Where that is not enough, let Vault unseal itself by a cloud's key service (`seal` in vault.hcl),
# or take /operator/unseal.key away and unseal by hand; this script then leaves a sealed Vault alone.
set -eu
umask 077
cd /operator
trap 'exit 0' TERM INT

while :; do
    code=0
    vault status >/dev/null 2>&1 || code=$? # 0 open, 2 sealed, 1 does not answer
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
            vault write sys/unseal key=@unseal.key >/dev/null || true # never an argument: those are seen in `ps`
        fi
    fi
    sleep 1 &
    wait $! # the shell takes a signal while it waits, not while sleep runs
done
