# Targets that people and CI use. `make up` and `make test` need only Python >= 3.11 and make.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check --quiet

.PHONY: up test unit check lock clean setup setup-dev bench

up: setup ## run everything on this machine, in the foreground
	@exec $(BIN)/regcred up

test: setup-dev ## the whole suite; what needs a server that is not here says so (a failure under CI)
	$(BIN)/pytest

unit: setup-dev ## the fast part: no server, no socket
	$(BIN)/pytest tests/unit tests/property

check: setup-dev ## lint, formatting, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

setup: $(VENV)/.runtime
setup-dev: $(VENV)/.runtime $(VENV)/.dev

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "regcred needs Python 3.11 or newer: make PYTHON=/path/to/python3.11")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements/runtime.lock pyproject.toml | $(VENV)/bin/python
	$(PIP) install --require-hashes --no-deps -r requirements/runtime.lock
	$(PIP) install --no-deps --no-build-isolation --no-index -e .
	@touch $@

$(VENV)/.dev: requirements/dev.lock $(VENV)/.runtime
	$(PIP) install --require-hashes --no-deps -r requirements/dev.lock
	@touch $@

lock: ## renew both lock files from pyproject.toml (needs uv)
	uv pip compile -q pyproject.toml --group build --universal --generate-hashes --python-version 3.11 --no-header -o requirements/runtime.lock
	uv pip compile -q pyproject.toml --group build --group dev --universal --generate-hashes --python-version 3.11 --no-header -c requirements/runtime.lock -o requirements/dev.lock

clean: ## remove the environment and caches; the state of the one-machine mode stays
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
