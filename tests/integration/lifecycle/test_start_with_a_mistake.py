"""A service that an operator has to correct ends with one sentence and exit code 1, without a traceback."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from secretstore.installation import record_keys
from secretstore.keyfile import KeyFile
from tests.support.postgres import migrated_database
from tests.support.servers import free_port
from tests.support.timing import PATIENCE

pytestmark = pytest.mark.integration

SERVICES = (
    "credentials api",
    "credentials relay",
    "verifier",
    "projector api",
)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    """A database that another key file belongs to."""
    with migrated_database() as made:
        yield made


@pytest.fixture(scope="module")
def home(url: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("home")
    with psycopg.connect(url, autocommit=True) as connection:
        record_keys(KeyFile.create(folder / "former.json"), connection)
    KeyFile.create(folder / "keys.json")
    return folder


def refusal(service: str, home: Path, **variables: str) -> str:
    """The sentence with which a service ends."""
    environment = {
        **os.environ,
        "REGCRED_HOME": str(home),
        "REGCRED_LISTEN": f"127.0.0.1:{free_port()}",
        "REGCRED_METRICS_LISTEN": "",
        "PYTHONPATH": os.pathsep.join(sys.path),
        **variables,
    }
    done = subprocess.run(
        [sys.executable, "-m", *service.split()],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    [sentence] = [line for line in done.stderr.splitlines() if line.startswith("Error: ")]
    return sentence


@pytest.mark.parametrize("service", SERVICES)
def test_a_wrong_key_file_is_named(service: str, url: str, home: Path) -> None:
    sentence = refusal(service, home, REGCRED_DATABASE_URL=url)
    assert "the key file is of another installation than the database" in sentence
    assert "Restore the key file from its backup" in sentence


@pytest.mark.parametrize("service", ["credentials api", "projector"])
def test_the_url_of_the_database_is_named(service: str, home: Path) -> None:
    sentence = refusal(service, home, REGCRED_DATABASE_URL="user canary-1f0c")
    assert sentence.startswith("Error: REGCRED_DATABASE_URL: ")
    assert "canary" not in sentence


@pytest.mark.parametrize(
    ("service", "setting"),
    [
        ("verifier", "REGCRED_LOG_LEVEL"),
        ("credentials api", "REGCRED_VAULT_ADDR"),
        ("console", "REGCRED_CONSOLE_LISTEN"),
    ],
)
def test_an_invalid_setting_is_named(service: str, setting: str, home: Path) -> None:
    assert refusal(service, home, **{setting: "nowhere"}).startswith(f"Error: {setting}: ")


@pytest.mark.parametrize("service", ["credentials api", "credentials relay", "verifier"])
def test_a_missing_token_file_is_named(service: str, home: Path) -> None:
    variables = {"REGCRED_VAULT_ADDR": "http://127.0.0.1:1", "REGCRED_VAULT_TOKEN_FILE": "/nope"}
    sentence = refusal(service, home, **variables)
    assert sentence == "Error: REGCRED_VAULT_TOKEN_FILE: /nope cannot be read: No such file or directory"


def test_a_missing_jwks_file_is_named(url: str, home: Path) -> None:
    variables = {"REGCRED_KEY_FILE": str(home / "former.json"), "REGCRED_TOKEN_ISSUERS": "ci=/nope"}
    sentence = refusal("credentials api", home, REGCRED_DATABASE_URL=url, **variables)
    assert sentence == "Error: REGCRED_TOKEN_ISSUERS: /nope cannot be read: No such file or directory"


def test_a_value_that_is_no_choice_is_named(home: Path) -> None:
    sentence = refusal("credentials relay", home, REGCRED_TRACING="2")
    assert sentence == "Error: REGCRED_TRACING: '2' is neither 1 (on) nor 0 (off)"


@pytest.mark.parametrize(
    ("service", "setting"),
    [
        ("projector", "REGCRED_METRICS_LISTEN"),
        ("console", "REGCRED_CONSOLE_LISTEN"),
    ],
)
def test_an_address_in_use_is_named_with_its_setting(
    service: str, setting: str, url: str, home: Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        sentence = refusal(service, home, REGCRED_DATABASE_URL=url, **{setting: address})
    assert sentence.startswith(f"Error: cannot listen on {address}: Address already in use")
    assert sentence.endswith(f"or change {setting}")
