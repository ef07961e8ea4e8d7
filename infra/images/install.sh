#!/bin/sh
# Inside the build, two steps, so that a change of our code does not fetch what it depends on again:
#   install.sh dependencies LOCK      what the lock pins, into /app
#   install.sh packages PACKAGE...    of ours, with the name and version that pyproject.toml gives them
# Only wheels, only known hashes, and byte code that does not depend on when it was made: the same commit and base
# give the same files.
set -eu
pip() {
    python3 -m pip --disable-pip-version-check --no-input install --quiet --root-user-action=ignore \
        --no-cache-dir --no-compile --no-deps "$@"
}
step=$1
shift
case $step in
dependencies)
    pip --target /app --require-hashes --only-binary :all: -r "$1"
    ;;
packages)
    pip --target /build --require-hashes --only-binary :all: -r build.lock
    mkdir -p source/services
    for package; do
        cp -R "services/$package" source/services/
    done
    cp pyproject.toml README.md source/
    PYTHONPATH=/build pip --target /app --no-build-isolation ./source
    rm -rf /app/bin # command line programs of libraries; an image runs one program
    python3 -m compileall -q --invalidation-mode unchecked-hash /app
    ;;
esac
