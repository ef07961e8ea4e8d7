#!/bin/sh
# Brings a new version, or another configuration, into the running deployment of docker-compose.yml, while it serves:
#   REGCRED_VERSION=1.1.0 infra/upgrade.sh
# It takes the variables of docker compose (.env, COMPOSE_PROJECT_NAME, COMPOSE_FILE, …) and needs the images on the machine.
#
# The migrations run first. They are compatible with the former version, which serves meanwhile. Then each replica is
# replaced: the new one is healthy before the old one stops. If a step fails, the other replicas continue.
# `docker compose up` with a new version stops all of them first.
set -eu
healthy_seconds=${HEALTHY_SECONDS:-180}

job() {
    echo "running $1"
    docker compose run --rm --no-deps --no-TTY "$@" || {
        echo "ERROR: $1 failed. No replica was replaced: the former version serves." >&2
        exit 1
    }
}

# What the containers of a service should be: the digest of its configuration and its image.
wanted() {
    config=$(docker compose config --hash "$1")
    image=$(docker compose config | awk -v service="  $1:" '$0 == service { found = 1 } found && $1 == "image:" { print $2; exit }')
    echo "${config#* } $(docker image inspect --format '{{.Id}}' "$image")"
}

present() {
    docker inspect --format '{{index .Config.Labels "com.docker.compose.config-hash"}} {{.Image}}' "$1"
}

wait_until_healthy() {
    waited=0
    until [ "$(docker inspect --format '{{.State.Health.Status}}' "$1")" = healthy ]; do
        waited=$((waited + 1))
        [ "$waited" -lt "$healthy_seconds" ] || return 1
        sleep 1
    done
}

replace() {
    service=$1
    want=$(wanted "$service")
    for old in $(docker compose ps --quiet "$service"); do
        [ "$(present "$old")" != "$want" ] || continue
        echo "replacing a replica of $service"
        before=$(docker compose ps --all --quiet "$service")
        docker compose --progress quiet up --detach --no-build --no-deps --no-recreate \
            --scale "$service=$(($(echo "$before" | wc -w) + 1))" "$service"
        for new in $(docker compose ps --all --quiet "$service"); do
            case $before in *"$new"*) ;; *) break ;; esac
        done
        if ! wait_until_healthy "$new"; then
            docker logs --tail 20 "$new" >&2
            docker rm --force "$new" >/dev/null
            echo "ERROR: the new replica of $service does not become healthy. The former ones serve." >&2
            exit 1
        fi
        docker stop "$old" >/dev/null
        docker rm "$old" >/dev/null
    done
}

docker compose config --images | sort -u | while read -r image; do
    docker image inspect "$image" >/dev/null 2>&1 || docker pull "$image" || exit 1
done
job setup
job migrate
job vault-prepare
for service in credentials relay verifier; do
    job "$service-identity"
done
for service in projector relay verifier registries queries credentials console; do
    replace "$service"
done
# Jobs and servers; the services above are unchanged.
docker compose up --detach --no-build
