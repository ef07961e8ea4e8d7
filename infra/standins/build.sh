#!/bin/sh
# Builds replacements for the published images on machines that cannot pull them: from the Debian packages of the
# machine's package sources, and a local Vault binary. They accept the configuration of the published images in
# docker-compose.yml; standins.env has their names. They are for tests, not for production.
#   infra/standins/build.sh VAULT_BINARY
# It needs root, dockerd and debootstrap. If PIP_CONFIG (a directory) and CA_BUNDLE (a file) are set, they are copied
# into the Python base, for builds behind a proxy.
set -eu
vault=$1
here=$(cd "$(dirname "$0")" && pwd)
work=${STANDINS_WORK:-$(mktemp -d)}
name=regcred-standin
mirror=${MIRROR:-$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/*.sources | head -1)}
export DOCKER_BUILDKIT=0  # the classic builder is part of every dockerd

# Creates an image with a minimal Debian. Snapshots of the archive are past their own expiry dates.
base() {
    docker image inspect "$name/$1" >/dev/null 2>&1 && return
    [ -e "$work/$1/.done" ] || debootstrap --variant=minbase --include=ca-certificates "$1" "$work/$1" "$mirror"
    touch "$work/$1/.done"
    echo 'Acquire::Check-Valid-Until "false";' >"$work/$1/etc/apt/apt.conf.d/99standin"
    printf '#!/bin/sh\nexit 101\n' >"$work/$1/usr/sbin/policy-rc.d"
    chmod +x "$work/$1/usr/sbin/policy-rc.d"
    tar -C "$work/$1" -c . | docker import - "$name/$1" >/dev/null
}

build() {
    echo "building $name/$1"
    nice -n 10 docker build --quiet --build-arg "DEBIAN=$name/$2" -t "$name/$1" -f "$here/$1.Dockerfile" "$3"
}

base bookworm
base trixie

context=$work/context
rm -rf "$context" && mkdir -p "$context/pip"
cp "$here"/*.sh "$context/"
[ -z "${CA_BUNDLE:-}" ] || cp "$CA_BUNDLE" "$context/pip/ca.crt"
[ -z "${PIP_CONFIG:-}" ] || cp -RL "$PIP_CONFIG/." "$context/pip/"
build python bookworm "$context"
build postgres trixie "$context"
build rabbitmq trixie "$context"
build gateway trixie "$context"
build registry bookworm "$context"
build prometheus trixie "$context"
cp "$vault" "$context/vault"
build vault trixie "$context"
