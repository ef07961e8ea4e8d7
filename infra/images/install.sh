#!/bin/sh
# Inside the build, in two steps, so that a change of our code does not fetch the libraries again:
#   install.sh dependencies IMAGE     the libraries of an image, into /app
#   install.sh packages IMAGE         our packages, with the name and version that pyproject.toml gives them
# infra/images/contents.py says what these are. Only wheels, only known hashes, and byte code that does not depend
# on when it was made: the same commit and base give the same files.
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
    PYTHONPATH=/app python3 -m pip check # nothing that they need is missing
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
    rm -rf /app/bin # command line programs; an image runs one, as a module
    for package in $packages; do
        compile "/app/${package#*/}"
    done
    ;;
esac
