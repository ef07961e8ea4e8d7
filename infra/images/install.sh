#!/bin/sh
# Runs in the build, in two steps, so that a change of regcred does not download the libraries again:
#   install.sh dependencies IMAGE     the libraries of an image, into /app
#   install.sh packages IMAGE         the packages of regcred, with the name and version from pyproject.toml
# infra/images/contents.py lists both. Only wheels with known hashes are installed, and byte code does not depend on the
# time of the build, so that the same commit and base result in the same files.
set -eu
pip() {
    python3 -m pip --disable-pip-version-check --no-input install --quiet --root-user-action=ignore \
        --no-cache-dir --no-compile --no-deps "$@"
}
libraries() { # of a dependency group, into a folder
    python3 infra/images/contents.py lock "$1" >"/tmp/$1.lock"
    pip --target "$2" --require-hashes --only-binary :all: -r "/tmp/$1.lock"
}
compile() {
    python3 -m compileall -q --invalidation-mode unchecked-hash "$@"
}
step=$1
image=$2
case $step in
dependencies)
    libraries "image-$image" /app
    PYTHONPATH=/app python3 -m pip check # fails if a dependency is missing
    compile /app
    libraries build /build
    ;;
packages)
    packages=$(python3 infra/images/contents.py packages "$image")
    for package in $packages; do
        mkdir -p "source/${package%/*}"
        cp -R "$package" "source/$package"
    done
    cp pyproject.toml README.md LICENSE source/
    PYTHONPATH=/build pip --target /app --no-build-isolation ./source
    rm -rf /app/bin # command line programs; an image runs a module instead
    for package in $packages; do
        compile "/app/${package#*/}"
    done
    ;;
esac
