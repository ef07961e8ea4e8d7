"""The version of each program, and the libraries that it does not load."""

import subprocess
import sys
from importlib.metadata import version

import pytest

from tests.support.servers import ROOT

HEAVY_FOR_PLUGINS = (
    "flask",
    "psycopg",
    "pika",
    "hvac",
    "structlog",
    "cryptography",
    "msgspec",
    "opentelemetry",
)
HEAVY_FOR_THE_CLIENT = (
    "httpx2",
    "ssl",
    "rich.console",
    "cryptography",
    "msgspec",
    "flask",
    "flask_smorest",
    "psycopg",
    "pika",
    "hvac",
    "structlog",
    "credentials",
    "verifier",
    "projector",
)


def loaded_of(names: tuple[str, ...], program: str) -> str:
    """The modules among these that a program loads, as a printed list."""
    script = f"import sys; import {program}; print([name for name in {names!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return done.stdout


@pytest.mark.parametrize("program", ["credentials", "projector", "verifier", "console"])
def test_every_program_prints_its_version(program: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", program, "--version"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"regcred {version('regcred')}\n"


@pytest.mark.parametrize("program", ["credential_helper", "kubelet_provider"])
def test_a_plugin_loads_the_standard_library_only(program: str) -> None:
    assert loaded_of(HEAVY_FOR_PLUGINS, f"regcred.{program}.__main__") == "[]\n"


def test_the_client_loads_no_library_of_services() -> None:
    assert loaded_of(HEAVY_FOR_THE_CLIENT, "regcred.__main__") == "[]\n"


def test_opentelemetry_is_not_loaded_if_tracing_is_off() -> None:
    program = (
        "import sys;"
        "import launcher.server, credentials.__main__, verifier.__main__, projector.__main__;"
        "from chassis.observability.process import observe; observe('test', {});"
        "print([name for name in sys.modules if name.startswith('opentelemetry')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "[]\n", done.stderr
