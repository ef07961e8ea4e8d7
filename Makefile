# Targets for developers and CI. `make up` and `make test` need only Python >= 3.11 and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

# Some machines set it. Every process of the tests would compile all modules again, which takes a fifth of the time.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: images lock-images release up demo test unit test-browser test-clients test-judges test-deployment test-kubernetes test-containers check audit sbom lock clean setup setup-dev bench measure docs

up: setup ## run everything on this machine, in the foreground
	@exec $(BIN)/regcred up

demo: setup ## like up, and allow the registry of `regcred demo`, which runs in a second terminal
	@REGCRED_VERIFIER_ALLOW=127.0.0.1:5099 REGCRED_VERIFIER_ALLOW_HTTP=127.0.0.1:5099 exec $(BIN)/regcred up

# For two processors: tests often wait for servers.
WORKERS ?= 3
PYTEST   = $(BIN)/pytest --durations=10
PARALLEL = $(PYTEST) -n $(WORKERS)

test: setup-dev ## test the product on real servers; reports each missing server (a failure in CI)
	$(PARALLEL) -m "not clients" --ignore=tests/browser --ignore=tests/containers --ignore=tests/deployment \
	    --ignore=tests/judges --ignore=tests/kubernetes

unit: setup-dev ## the part of `test` without servers and other processes, with fewer examples of each property
	$(PARALLEL) -m "not integration" --hypothesis-profile=quick --ignore=tests/unit/dependencies \
	    tests/unit tests/property tests/golden

test-browser: setup-dev ## console and documentation in Chromium, with and without scripts, in both themes and on a phone
	$(PYTEST) tests/browser

test-clients: setup-dev ## skopeo, podman, crane and other clients pull with secrets that regcred issues
	$(PARALLEL) -m clients tests/e2e tests/integration/issuing/clients

test-judges: setup-dev ## independent programs read the contract documents and use regcred by them; installs them
	mkdir -p .cache/judges
	cp tests/judges/node/.npmrc tests/judges/node/package*.json .cache/judges
	if command -v npm >/dev/null; then npm ci --silent --prefix .cache/judges; fi
	$(PYTHON) -m venv .cache/judges/python
	.cache/judges/python/bin/pip --disable-pip-version-check --quiet install --require-hashes -r tests/judges/python/requirements.lock
	$(PYTEST) tests/judges

test-deployment: setup-dev ## Kubernetes manifests, contents of the images, files of a deployment; needs no cluster and no Docker
	$(PARALLEL) tests/deployment

test-kubernetes: setup-dev ## the manifests on a real API server with its controllers; skipped without a Kubernetes binary
	$(PYTEST) tests/kubernetes

test-containers: setup-dev ## docker-compose.yml; skipped without a docker daemon or without `make images`
	$(PYTEST) tests/containers

check: setup-dev ## lint (with the security rules of ruff), formatting, types, import contracts, locks
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q -p no:cacheprovider tests/unit/dependencies

audit: setup-dev ## known vulnerabilities of the locked versions; fails if the package index does not return its advisories
	for lock in runtime development; do \
	    $(BIN)/pip-audit --strict --require-hashes --disable-pip --progress-spinner off -r requirements/$$lock.lock || exit 1; \
	done

sbom: setup-dev ## write a CycloneDX document for each image to build/sbom/, from the lock
	$(BIN)/python -m infra.images.sbom $(IMAGES)

lock-images: setup-dev ## ask the registries for the digests of the images of others; writes infra/release/base-images.lock
	$(BIN)/python -m infra.release.base_images lock

release: setup-dev ## build, push and describe the images of a release: make release REGISTRY=registry.example.com/regcred
	base=$$($(BIN)/python -m infra.release.base_images show PYTHON_IMAGE) && $(MAKE) images PYTHON_IMAGE="$$base" REGCRED_VERSION=$(VERSION)
	$(BIN)/python -m infra.release --version $(VERSION) $(REGISTRY)

bench: setup-dev ## benchmarks: print a table and write bench/results.json; half an hour, on an idle machine
	$(BIN)/python -m bench $(BENCH)

measure: setup-dev ## count lines, the modules that a request passes, and the files that a new field touches
	$(BIN)/python infra/measures/structure.py $(MEASURE)

docs: setup-dev ## build the documentation site in build/docs; a dead link is an error
	$(BIN)/python -m docs.website build/docs

setup: $(VENV)/.runtime
setup-dev: $(VENV)/.development

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "regcred needs Python 3.11 or newer: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements/runtime.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) install --require-hashes --no-deps -r requirements/runtime.lock
	$(PIP) install --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(VENV)/.development: requirements/development.lock $(VENV)/.runtime
	$(PIP) install --require-hashes --no-deps -r requirements/development.lock
	@touch $@

IMAGES  := credentials relay verifier projector queries console tools
VERSION := $(shell sed -n 's/^version = "\(.*\)"$$/\1/p' pyproject.toml)

# infra/images/contents.py reads the annotations of the lock, which name the dependents of each entry.
LOCK = uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --annotation-style split

lock: ## renew the lock files from pyproject.toml; versions change only if they must (needs uv)
	$(LOCK) pyproject.toml --group build -o requirements/runtime.lock
	$(LOCK) --group dev --group docs --group bench -c requirements/runtime.lock -o requirements/development.lock
	$(LOCK) tests/judges/python/requirements.in -o tests/judges/python/requirements.lock

images: ## build the images of regcred; PYTHON_IMAGE selects another base
	for image in $(IMAGES); do \
	    docker build --quiet --tag $${REGCRED_IMAGES:-regcred}/$$image:$${REGCRED_VERSION:-latest} \
	        --build-arg IMAGE=$$image --build-arg VERSION=$(VERSION) \
	        --build-arg PYTHON_IMAGE=$${PYTHON_IMAGE:-python:3.11-slim-bookworm} \
	        --build-arg REVISION=$$(git rev-parse HEAD) . || exit 1; \
	done

clean: ## remove the environment and caches; the state of the one-machine mode stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
