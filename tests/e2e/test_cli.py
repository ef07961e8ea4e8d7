"""The program `regcred` as its users run it, against a running system and a real registry."""

import csv
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import ONE_MACHINE_ONLY, PASSWORD, USER, Running, second_name
from tests.support.timing import PATIENCE, waiting

REGCRED = Path(sys.executable).with_name("regcred")
WRONG = "wrong-staple-canary"
_numbers = count(1)


class Client:
    """Runs the program, and searches its output for secrets."""

    def __init__(self, running: Running, account: str) -> None:
        self.registry = running.registry.address
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("REGCRED_")},
            "REGCRED_ADDRESS": running.system.address,
            "REGCRED_TOKEN_FILE": str(running.system.home / "admin.token"),
            "REGCRED_ACCOUNT": account,
        }
        self._token = (running.system.home / "admin.token").read_text().strip()

    def run(
        self, *arguments: str, secret: str | None = None, code: int = 0, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        done = self.attempt(*arguments, secret=secret, **environment)
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def attempt(
        self, *arguments: str, secret: str | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Whatever its exit code is."""
        done = subprocess.run(
            [REGCRED, *arguments],
            input=f"{secret}\n" if secret is not None else None,
            stdin=subprocess.DEVNULL if secret is None else None,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        printed = done.stdout + done.stderr
        assert "Traceback" not in printed
        for canary in (PASSWORD, WRONG, self._token):
            assert canary not in printed
        return done

    def json(self, *arguments: str, secret: str | None = None, code: int = 0, **environment: str) -> Any:
        return json.loads(self.run(*arguments, "--json", secret=secret, code=code, **environment).stdout)

    def add(self, name: str, *more: str, username: str = USER, secret: str = PASSWORD, code: int = 0) -> Any:
        """Add a credential for the registry of the tests."""
        arguments = ["--provider", "custom", "--registry", self.registry, "--username", username]
        return self.json(
            "credentials", "add", name, *arguments, "--password-stdin", *more, secret=secret, code=code
        )

    def at_a_terminal(self, answer: str, *arguments: str) -> tuple[int, str, str]:
        """As `run`, with a terminal as standard input; the exit code, the output, and the text that the terminal showed."""
        ours, theirs = pty.openpty()
        try:
            process = subprocess.Popen(
                [REGCRED, *arguments],
                stdin=theirs,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=self.environment,
                text=True,
                # Without a controlling terminal: a prompt would go to the terminal that runs the tests.
                start_new_session=True,
            )
            assert process.stdout is not None
            asked = ""
            while not asked.endswith(": "):
                character = process.stdout.read(1)
                assert character, asked
                asked += character
            os.write(ours, f"{answer}\n".encode())
            rest, _ = process.communicate(timeout=PATIENCE)
            os.set_blocking(ours, False)
            try:
                echoed = os.read(ours, 4096).decode()
            except BlockingIOError:
                echoed = ""
        finally:
            os.close(ours)
            os.close(theirs)
        return process.returncode, asked + rest, echoed


@pytest.fixture
def account() -> str:
    return f"cli-{next(_numbers)}"


@pytest.fixture
def client(running: Running, account: str) -> Client:
    return Client(running, account)


def test_a_credential_is_added_changed_verified_and_removed(client: Client) -> None:
    added = client.add("mine", "--project", "shop", "--prefix", "acme/", "--push", "--description", "of mine")
    assert added["verification"]["status"] == "verified"
    assert added["restrictions"] == {"restricted": True, "projects": ["shop"]}
    assert added["scope"] == {"pull": True, "push": True}

    shown = client.run("credentials", "show", "MINE").stdout
    assert "verified" in shown
    assert added["id"] in shown
    assert client.json("credentials", "show", added["id"])["name"] == "mine"
    listed = client.run("credentials", "list", "--project", "shop").stdout.splitlines()
    assert listed[0].split()[:2] == ["NAME", "REGISTRY"]
    assert listed[1].split()[:2] == ["mine", client.registry]

    edited = client.json(
        "credentials", "edit", "mine", "--name", "ours", "--no-push", "--expires", "90d", "--every-repository"
    )
    assert (edited["name"], edited["scope"]) == ("ours", {"pull": True, "push": False})
    assert edited["expires_at"]
    assert edited["repository_prefixes"] == []
    assert edited["description"] == "of mine"
    assert client.json("credentials", "edit", "ours", "--never-expires")["expires_at"] is None

    nobody = client.json("credentials", "restrict", "ours", "--nobody")
    assert nobody["restrictions"] == {"restricted": True, "projects": []}
    everyone = client.json("credentials", "restrict", "ours", "--everyone")
    assert everyone["restrictions"] == {"restricted": False, "projects": []}

    second = second_name(client.registry)
    client.json("credentials", "edit", "ours", "--also-host", second, "--mirror-of", "docker.io")
    verified = client.json("credentials", "verify", "ours", "--wait", "30")
    assert (verified["status"], verified["detail"].endswith(f"so do {second}")) == ("verified", True), (
        verified
    )
    shown = client.json("credentials", "show", "ours")
    assert (shown["additional_hosts"], shown["mirror_of"]) == ([second], ["docker.io"])
    found = client.json("credentials", "list", "--registry", second)["items"]
    assert [one["name"] for one in found] == ["ours"]
    one_host = client.json("credentials", "edit", "ours", "--one-host", "--no-mirror")
    assert (one_host["additional_hosts"], one_host["mirror_of"]) == ([], [])

    frozen = client.json("credentials", "freeze", "ours", "--reason", "leaked")["items"]
    assert [(one["name"], one["frozen"]) for one in frozen] == [("ours", True)]
    assert "issued to nobody" in client.run("credentials", "show", "ours").stdout
    assert client.json("credentials", "thaw", "ours")["frozen"] is False

    rotated = client.json("credentials", "rotate", "ours", "--password-stdin", secret=PASSWORD)
    assert (rotated["secret_version"], rotated["username"]) == (2, USER)
    assert rotated["verification"]["status"] == "verified"
    back = client.json("credentials", "rollback", "ours")
    assert (back["secret_version"], back["verification"]["status"]) == (3, "verified")
    verification = client.json("credentials", "verify", "ours")
    assert (verification["status"], verification["trigger"]) == ("verified", "requested")

    client.run("credentials", "remove", "ours", code=2)
    assert client.json("credentials", "remove", "ours", "--yes", "--reason", "over") == {
        "id": added["id"],
        "name": "ours",
        "removed": True,
    }
    assert "no credential 'ours'" in client.run("credentials", "show", "ours", code=1).stderr
    assert "has no credentials" in client.run("credentials", "list").stderr
    actions = [event["action"] for event in client.json("credentials", "history", added["id"])["items"]]
    assert actions[0] == "credential.removed"
    assert actions[-1] == "credential.added"
    assert "name: mine → ours" in client.run("credentials", "history", added["id"]).stdout


def test_a_wrong_password_exits_with_three(client: Client) -> None:
    arguments = ["--provider", "custom", "--registry", client.registry, "--username", USER]
    done = client.run("credentials", "add", "wrong", *arguments, "--password-stdin", secret=WRONG, code=3)
    fields = dict(line.split("  ", 1) for line in done.stdout.splitlines())
    assert fields["verification"].strip() == "failed: bad_credential"
    assert "refused" in fields["meaning"]
    assert "rotate the secret" in fields["what to do"]
    assert "wrong is saved, but its verification failed: bad_credential" in done.stderr

    # Of other users: each refusal doubles the time in which no further login of its user is tried.
    too = client.add("wrong-too", username="second", secret=WRONG, code=3)
    assert too["verification"]["code"] == "bad_credential"
    assert client.json("credentials", "verify", "wrong", code=3)["code"] == "bad_credential"
    assert client.add("later", "--wait", "0", username="third", secret=WRONG)["secret_version"] == 1
    waiting(
        lambda: len(client.json("credentials", "list", "--status", "failed")["items"]) == 3,
        "all of them have failed",
    )
    right = client.run("credentials", "rotate", "wrong", "--password-stdin", secret=PASSWORD)
    assert "the registry accepted it" in right.stderr
    attempts = client.run("credentials", "history", "wrong", "--verifications").stdout.splitlines()
    assert [line.split()[1] for line in attempts[1:]] == ["verified", "failed:", "failed:"]


def test_an_unreachable_registry_exits_with_three(client: Client) -> None:
    arguments = ["--provider", "custom", "--registry", "127.0.0.1:9", "--username", USER]
    done = client.run("credentials", "add", "dead", *arguments, "--password-stdin", secret=WRONG, code=3)
    assert "could not be reached: unreachable" in done.stderr


def test_a_password_is_read_from_a_file_or_a_docker_config(client: Client, tmp_path: Path) -> None:
    (tmp_path / "password").write_text(PASSWORD)
    (tmp_path / "config.json").write_text(
        json.dumps({"auths": {f"http://{client.registry}": {"username": USER, "password": PASSWORD}}})
    )
    where = ["--provider", "custom", "--registry", client.registry]
    from_file = ["--username", USER, "--password-file", str(tmp_path / "password")]
    assert client.json("credentials", "add", "from-file", *where, *from_file)["username"] == USER
    from_config = ["--docker-config", str(tmp_path / "config.json")]
    assert client.json("credentials", "add", "from-config", *where, *from_config)["username"] == USER


@ONE_MACHINE_ONLY
def test_a_secret_cannot_be_an_argument(client: Client) -> None:
    for option in ("--password", "--token", "--secret", "--keyfile-json"):
        done = client.run("credentials", "add", "argued", "--provider", "custom", option, "x", code=2)
        assert f"No such option '{option}'" in done.stderr
    done = client.run("credentials", "add", "argued", "--provider", "custom", code=2)
    assert "the source of the secret is missing" in done.stderr
    assert client.json("credentials", "list")["items"] == []


def test_a_terminal_prompts_for_the_secret_without_echo(client: Client) -> None:
    arguments = ["--provider", "custom", "--registry", client.registry, "--username", USER]
    code, printed, echoed = client.at_a_terminal(PASSWORD, "credentials", "add", "asked", *arguments)
    assert code == 0, printed
    assert f"Password or token of {USER}: " in printed
    assert PASSWORD not in printed + echoed

    code, printed, _ = client.at_a_terminal("n", "credentials", "remove", "asked")
    assert code == 1
    assert f"Remove asked ({USER} at {client.registry}) permanently" in printed
    assert client.json("credentials", "show", "asked")
    code, printed, _ = client.at_a_terminal("y", "credentials", "remove", "asked")
    assert code == 0, printed
    assert client.json("credentials", "list")["items"] == []


@ONE_MACHINE_ONLY
def test_a_refusal_names_the_options(client: Client) -> None:
    arguments = ["--provider", "custom", "--registry", "not a host", "--prefix", "Not-Ok", "--username", "u"]
    done = client.run("credentials", "add", "x", *arguments, "--password-stdin", secret=WRONG, code=1)
    lines = done.stderr.splitlines()
    assert lines[0] == "regcred: invalid_request: the request has invalid values"
    assert {line.split(":")[0].strip() for line in lines[1:]} == {
        "--registry",
        "NAME",
        "--prefix",
        "request id",
    }
    assert done.stdout == ""
    client.add("twice")
    arguments = ["--provider", "custom", "--registry", client.registry, "--username", USER]
    done = client.run("credentials", "add", "TWICE", *arguments, "--password-stdin", secret=WRONG, code=1)
    assert "name_taken" in done.stderr


@pytest.fixture
def history(client: Client) -> Callable[[], Any]:
    """Add some events, and return a function that reads them as JSON."""
    for name in ("one", "two"):
        client.add(name)
    client.add("three", secret=WRONG, code=3)
    return lambda: client.json("audit")["items"]


def test_the_audit_log_is_printed_as_a_table(client: Client, history: Callable[[], Any]) -> None:
    table = client.run("audit").stdout.splitlines()
    assert table[0].split() == [
        "TIME",
        "ACTION",
        "OUTCOME",
        "CREDENTIAL",
        "REGISTRY",
        "PROJECT",
        "ACTOR",
        "DETAILS",
    ]
    assert len(table) == 7
    assert "there are more than 2" in client.run("audit", "--limit", "2").stderr
    failed = client.json("audit", "--outcome", "failure", "--since", "1h")["items"]
    assert [(event["action"], event["credential_name"]) for event in failed] == [
        ("verification.failed", "three")
    ]
    of_two = client.json("audit", "--credential", "two", "--registry", client.registry)["items"]
    assert {event["credential_name"] for event in of_two} == {"two"}
    [added] = client.json("audit", "--credential", "two", "--action", "credential.added")["items"]
    by_request = client.json("audit", "--request-id", added["request_id"], "--actor", added["actor"]["id"])
    assert [event["id"] for event in by_request["items"]] == [added["id"]]
    assert client.json("audit", "--until", "1h")["items"] == []
    assert client.json("audit", "--project", "shop", "--image", "a/b")["items"] == []


def test_the_audit_log_is_written_as_a_file(
    client: Client, history: Callable[[], Any], tmp_path: Path
) -> None:
    def without_readings(events: Iterable[Any]) -> list[str]:
        return [event["id"] for event in events if event["action"] != "audit.read"]

    expected = without_readings(history())
    lines = client.run("audit", "--ndjson").stdout.splitlines()
    assert without_readings(map(json.loads, lines)) == expected
    rows = list(csv.DictReader(client.run("audit", "--csv").stdout.splitlines()))
    assert without_readings(rows) == expected

    target = tmp_path / "audit.csv"
    done = client.run("audit", "--csv", "--since", "1h", "--output", str(target))
    assert done.stdout == ""
    assert "written to" in done.stderr
    assert target.stat().st_mode & 0o777 == 0o600
    assert without_readings(csv.DictReader(target.read_text().splitlines())) == expected
    assert [entry.name for entry in tmp_path.iterdir()] == ["audit.csv"]


@ONE_MACHINE_ONLY
def test_providers_are_listed_and_shown(client: Client) -> None:
    known = [item["id"] for item in client.json("providers")["items"]]
    table = client.run("providers").stdout.splitlines()
    assert [line.split()[0] for line in table[1:]] == known
    for provider in known:
        assert client.json("providers", provider)["id"] == provider
        assert provider in client.run("providers", provider).stdout
    assert "providers: dockerhub" in client.run("providers", "nobody", code=1).stderr


def test_a_service_token_is_shown_once(client: Client, account: str, tmp_path: Path) -> None:
    file = tmp_path / "auditor.token"
    make = ["tokens", "make", "auditor", "--scope", "audit:read", "--account", account, "--expires", "1d"]
    made = client.json(*make, "--output", str(file))
    assert "token" not in made
    assert file.stat().st_mode & 0o777 == 0o600
    token = file.read_text().strip()
    again = client.run(*make, "--output", str(file), code=1)
    assert "File exists" in again.stderr

    trail = client.json("audit", REGCRED_TOKEN_FILE=str(file))["items"]
    assert {event["action"] for event in trail} <= {"service_token.created"}
    refused = client.run("credentials", "list", code=1, REGCRED_TOKEN_FILE=str(file))
    assert "insufficient_scope" in refused.stderr
    elsewhere = client.run("audit", "--account", "elsewhere", code=1, REGCRED_TOKEN_FILE=str(file))
    assert "this token is limited" in elsewhere.stderr

    listed = client.run("tokens", "list").stdout
    assert made["id"] in listed
    assert token not in listed
    client.run("tokens", "revoke", made["id"], code=2)
    client.run("tokens", "revoke", made["id"], "--yes")

    def is_refused() -> bool:
        late = client.attempt("audit", REGCRED_TOKEN_FILE=str(file))
        return late.returncode == 1 and "unauthenticated" in late.stderr

    waiting(is_refused, "the revoked token is refused")
    shown = client.run("tokens", "make", "shown", "--scope", "audit:read", "--every-account")
    assert len(shown.stdout.splitlines()) == 1
    assert shown.stdout.startswith("rgcs_")


@ONE_MACHINE_ONLY
def test_a_wrong_address_is_reported(client: Client) -> None:
    done = client.run("credentials", "list", code=1, REGCRED_ADDRESS="http://127.0.0.1:9")
    assert "does not respond at http://127.0.0.1:9" in done.stderr


def test_the_summary_and_the_system_are_shown(client: Client) -> None:
    client.add("ends-soon", "--expires", "5d")
    summary = client.json("credentials", "summary")
    assert (summary["total"], summary["by_status"]["verified"], summary["expiring_soon"]) == (1, 1, 1)
    printed = client.run("credentials", "summary").stdout
    assert "expire within 30 days  1" in printed
    assert "ends-soon" in printed

    system = client.json("system")
    assert {"projector", "verifier"} <= {consumer["name"] for consumer in system["consumers"]}
    assert "CONSUMER" in client.run("system").stdout
