#!/bin/sh
# Does what the published image does at its first start, as far as docker-compose.yml uses it.
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
    initdb -D "$PGDATA" -U postgres --pwfile="$POSTGRES_PASSWORD_FILE" --auth-local=trust --auth-host=scram-sha-256
    pg_ctl -D "$PGDATA" -w -o "-c listen_addresses=''" start
    for file in /docker-entrypoint-initdb.d/*.sh; do
        [ ! -e "$file" ] || sh "$file"
    done
    pg_ctl -D "$PGDATA" -m fast -w stop
fi
exec "$@"
