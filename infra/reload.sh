#!/bin/sh
# Runs a server, and a command when one of its files has changed: `setup` renews certificates while servers run.
#   reload.sh RELOAD FILE... -- COMMAND...
# RELOAD is for sh; `$server` is the number of the server's process. A server that finds the certificate of one run and
# the key of another keeps the former pair, and RELOAD runs again when both are there.
set -eu
reload=$1
shift
files=
while [ "$1" != -- ]; do
    files="$files $1"
    shift
done
shift
server=$$ # of this shell, and then of COMMAND
export server

before=$(cksum $files)
while kill -0 "$server" 2>/dev/null; do
    sleep "${RELOAD_SECONDS:-5}"
    after=$(cksum $files) || continue
    [ "$after" != "$before" ] || continue
    sh -c "$reload" || continue
    before=$after
    echo "the server loads the renewed certificate" >&2
done &
exec "$@"
