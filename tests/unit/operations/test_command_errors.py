"""Mistakes of operators end a command with one sentence, without a traceback and without a restart loop."""

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result

from eventlog.integrity import create_key
from tests.support.operator_commands import run_command
from tests.support.servers import free_port
from tests.support.timing import PATIENCE

UNREACHABLE = "postgresql://regcred:canary-1f0c@127.0.0.1:1/x"
DATABASE_COMMANDS = (
    "migrate",
    "up",
    "accounts erase acme --yes",
    "deadletters list",
    "projections list",
    "log verify",
    "log adopt",
)


def run(home: Path, command: str, **variables: str) -> Result:
    """Run a command that must end with a message."""
    environment = {"REGCRED_HOME": str(home), "REGCRED_LISTEN": f"127.0.0.1:{free_port()}", **variables}
    result = run_command(command, environment)
    assert result.stderr.startswith("Error: "), result.output
    return result


@pytest.mark.parametrize("command", DATABASE_COMMANDS)
def test_an_unreachable_database_is_reported(tmp_path: Path, command: str) -> None:
    result = run(tmp_path, command, REGCRED_DATABASE_URL=UNREACHABLE)
    assert result.exit_code == (2 if command.startswith("log") else 1)
    assert "the database is unavailable: " in result.stderr


@pytest.mark.parametrize("command", DATABASE_COMMANDS)
def test_a_malformed_database_url_is_reported_without_its_password(tmp_path: Path, command: str) -> None:
    result = run(tmp_path, command, REGCRED_DATABASE_URL="user canary-1f0c")
    assert "REGCRED_DATABASE_URL: must be a URL" in result.stderr


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("REGCRED_VERIFIER_ALLOW", "999.0.0.0/8", "'999.0.0.0/8' is neither a network"),
        ("REGCRED_VERIFIER_ALLOW_HTTP", "registry.corp", "'registry.corp' is neither a network"),
        ("REGCRED_VERIFIER_CA_FILE", "/nope", "/nope cannot be read: No such file or directory"),
        ("REGCRED_VERIFIER_CA_FILE", __file__, "does not contain certificates in PEM"),
        ("REGCRED_TOKEN_ISSUERS", "nobody", "'nobody' is not issuer=JWKS file or URL"),
        ("REGCRED_TOKEN_ISSUERS", "ci=/nope", "/nope cannot be read: No such file or directory"),
        ("REGCRED_TOKEN_ISSUERS", f"ci={__file__}", "is not a JWKS with a usable key"),
        ("REGCRED_TOKEN_ISSUERS", "ci=http://localhost.corp/keys", "must be https"),
        ("REGCRED_TOKEN_MAX_DAYS", "0", "must be a number of days"),
        ("REGCRED_TOKEN_MAX_DAYS", "90d", "must be a number of days"),
        ("REGCRED_TRACING", "2", "'2' is neither 1 (on) nor 0 (off)"),
        ("REGCRED_CA_FILE", "/nope", "/nope cannot be read: No such file or directory"),
        ("REGCRED_VAULT_ADDR", "https://", "must look like http://host:port"),
        ("REGCRED_BROKER_URL", "amqp://host:port", "must look like amqp://host:port"),
        ("REGCRED_AMAZON_ENDPOINT", "https://host:port", "is not a URL"),
        ("REGCRED_API_URL", "nowhere", "must look like http://host:port"),
        ("REGCRED_CONSOLE_URL", "nowhere", "must look like http://host:port"),
        ("REGCRED_CONSOLE_LISTEN", "nowhere", "'nowhere' is not host:port"),
        ("REGCRED_REVERIFY_INTERVAL", "soon", "must be a duration"),
    ],
)
def test_up_refuses_invalid_settings_before_it_starts_anything(
    tmp_path: Path, name: str, value: str, reason: str
) -> None:
    home = tmp_path / "home"
    result = run(home, "up", **{name: value})
    assert (result.exit_code, result.stdout) == (1, "")
    [line] = result.stderr.splitlines()
    assert line.startswith(f"Error: {name}: ")
    assert reason in line
    assert not home.exists()


def test_up_reports_a_home_folder_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = run(tmp_path / "file" / "home", "up")
    assert result.stderr == f"Error: {tmp_path}/file/home cannot be read or written: Not a directory\n"


@pytest.mark.parametrize("command", ["log verify --export", "log verify --checkpoint", "audit verify"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, command: str) -> None:
    create_key(tmp_path / "log-key.pem")
    result = run(tmp_path, f"{command} {tmp_path}/missing")
    assert result.exit_code == 2
    assert (
        result.stderr == f"Error: {tmp_path}/missing cannot be read or written: No such file or directory\n"
    )


def test_the_setup_of_a_deployment_reports_a_folder_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = subprocess.run(
        [sys.executable, "-m", "launcher.deployment", str(tmp_path / "file")],
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"Error: {tmp_path}/file/setup cannot be read or written: Not a directory\n"
