#!/bin/sh
# Runs Vault, and rotates its audit log beside it: more than AUDIT_BYTES are in a file of their own, and AUDIT_FILES of
# these files remain. Until SIGHUP Vault writes to the renamed file, so that no entry is lost.
set -eu
log=${AUDIT_LOG:-/vault/audit/audit.log}
bytes=${AUDIT_BYTES:-50000000}
files=${AUDIT_FILES:-10}
server=$$ # of this shell, and then of Vault

rotate() {
    number=$files
    while [ "$number" -gt 1 ]; do
        [ ! -e "$log.$((number - 1))" ] || mv "$log.$((number - 1))" "$log.$number"
        number=$((number - 1))
    done
    mv "$log" "$log.1"
}

while kill -0 "$server" 2>/dev/null; do
    sleep "${AUDIT_SECONDS:-10}"
    [ -e "$log" ] || continue
    [ "$(wc -c <"$log")" -gt "$bytes" ] || continue
    rotate
    kill -HUP "$server"
done &
exec sh "$(dirname "$0")/../reload.sh" 'kill -HUP "$server"' \
    "${CERTIFICATE:-/run/secrets/tls.crt}" "${KEY:-/run/secrets/tls.key}" -- "$@"
