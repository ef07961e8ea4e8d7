"""Independent programs read the OpenAPI document, and use a running regcred by it alone.

`make test-judges` installs them: those of `node/` with npm, those of `python/` in a virtual environment.
"""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from chassis.web.interface import FILE
from tests.judges.programs import NODE, PACKAGES, PYTHON, of_node, of_python, printed
from tests.support.system import System

LIFE = {
    "add first": 201,
    "add second": 201,
    "read": [200, "second", True],
    "stale": [412, "stale_version"],
    "change": [200, "renamed"],
    "rotate": [200, 2],
    "restrict": [200, ["shop"]],
    "resolve": [200, True],
    "pull secret": [200, ["registry.example.com"]],
    "list": ["first", "renamed"],
    "remove": [409, "credential_in_use"],
    "force": 204,
}
# They would end the token of the test, or wait for events for minutes.
_LEFT_OUT = ("--exclude-operation-id", "revokeToken", "--exclude-operation-id", "listAuditEvents")
_CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
)


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with System(tmp_path_factory.mktemp("home"), {"REGCRED_VERIFIER_ALLOW": "127.0.0.0/8"}) as running:
        yield running


def _environment(system: System, **more: str) -> dict[str, str]:
    token = (system.home / "admin.token").read_text().strip()
    return {**os.environ, "TOKEN": token, **more}


def test_a_linter_finds_nothing() -> None:
    ruleset = NODE / "spectral.yaml"
    printed(of_node("spectral", "lint", "--ruleset", ruleset, "--fail-severity", "hint", FILE))


def test_a_generated_python_client_can_do_everything(system: System, tmp_path: Path) -> None:
    client = tmp_path / "client"
    printed(of_python("openapi-python-client", "generate", "--path", FILE, "--output-path", client))
    environment = _environment(system, PYTHONPATH=str(client))
    command = of_python("python", PYTHON / "lifecycle.py", system.address)
    assert printed(command, environment) == LIFE


def test_a_generated_typescript_client_can_do_everything(system: System, tmp_path: Path) -> None:
    (tmp_path / "node_modules").symlink_to(PACKAGES)
    program = tmp_path / "lifecycle.ts"
    program.write_text((NODE / "lifecycle.ts").read_text(encoding="utf-8"), encoding="utf-8")
    printed(of_node("openapi-typescript", FILE, "--output", tmp_path / "api.d.ts"))
    strict = ("--strict", "--target", "es2022", "--module", "nodenext", "--skipLibCheck")
    types = ("--typeRoots", PACKAGES / "@types", "--types", "node")
    printed(of_node("tsc", *strict, *types, program))
    command = of_node("node", program.with_suffix(".js"), system.address)
    assert printed(command, _environment(system)) == LIFE


def test_no_response_is_undocumented_or_an_error_of_the_server(system: System) -> None:
    """The requests that Schemathesis generates are the same in each run."""
    environment = _environment(system)
    done = subprocess.run(
        [
            *of_python("schemathesis", "run", FILE, "--url", system.address),
            *("--header", f"Authorization: Bearer {environment['TOKEN']}"),
            *("--checks", ",".join(_CHECKS), "--seed", "1", "--max-examples", "10"),
            *("--request-timeout", "30", *_LEFT_OUT),
        ],
        cwd=system.home,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-10_000:]
