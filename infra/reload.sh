#!/bin/sh
# Runs a server, and sends it a signal when one of its files has changed: `setup` renews certificates while it runs.
#   reload.sh SIGNAL FILE... -- COMMAND...
# Servers that find certificate and key of two runs keep the former pair, and get another signal when both are there.
set -eu
signal=$1
shift
files=
while [ "$1" != -- ]; do
    files="$files $1"
    shift
done
shift
server=$$ # of this shell, and then of the command

before=$(cksum $files)
while kill -0 "$server" 2>/dev/null; do
    sleep "${RELOAD_SECONDS:-5}"
    after=$(cksum $files) || continue
    [ "$after" != "$before" ] || continue
    before=$after
    echo "the certificate was renewed: the server loads it" >&2
    kill -s "$signal" "$server"
done &
exec "$@"
