"""`regcred demo` on an installation of its own: its data, its refusals, and its removal."""

import json
import signal
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from launcher.demo import sample_data
from tests.e2e.test_cli import REGCRED
from tests.support.servers import free_port
from tests.support.system import System
from tests.support.timing import PATIENCE

PASSWORDS = (sample_data.FIRST_PASSWORD, sample_data.SECOND_PASSWORD, sample_data.WRONG_PASSWORD)


class Demo:
    """The program with the admin token of a fresh system that lets the verifier reach the demo's registry."""

    def __init__(self, system: System, port: int) -> None:
        self.system = system
        self.port = port

    def command(self, *arguments: str) -> list[str]:
        return [str(REGCRED), *arguments, "--address", self.system.address]

    def run(self, *arguments: str, code: int = 0, text: bool = False) -> Any:
        done = subprocess.run(
            self.command(*arguments, *([] if text else ["--json"])),
            env={"REGCRED_TOKEN_FILE": str(self.system.home / "admin.token"), "PATH": "/usr/bin:/bin"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        assert not any(password in done.stdout + done.stderr for password in PASSWORDS)
        return done if text or code else json.loads(done.stdout)

    def fill(self, *more: str, code: int = 0) -> Any:
        return self.run("demo", "--registry-port", str(self.port), "--once", *more, code=code)

    def listed(self, account: str) -> dict[str, Any]:
        items = self.run("credentials", "list", "--account", account)["items"]
        return {item["name"]: item for item in items}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    port = free_port()
    allowed = f"127.0.0.1:{port}"
    environment = {"REGCRED_VERIFIER_ALLOW": allowed, "REGCRED_VERIFIER_ALLOW_HTTP": allowed}
    with System(tmp_path_factory.mktemp("demo") / "state", environment) as system:
        yield Demo(system, port)


def test_the_demo_is_added_repeated_and_removed(demo: Demo) -> None:
    acme, globex = sample_data.ACCOUNTS
    filled = demo.fill()
    assert (filled["credentials"], filled["refused"]) == (11, 1)
    added = demo.listed(acme)
    assert {item["provider"] for item in added.values()} >= {"custom", "harbor", "gitlab", "gitea", "quay"}
    statuses = {name: item["verification"]["status"] for name, item in added.items()}
    assert statuses["shop-images"] == "verified"
    assert statuses["gitlab-deploy"] == statuses["old-laptop"] == "failed"
    assert statuses["partner-registry"] == "unreachable"
    assert added["shop-images"]["secret_version"] == 2
    assert added["gitea-builds"]["expires_at"]
    assert added["quay-mirror"]["restrictions"] == {"restricted": True, "projects": ["payments", "shop"]}
    assert demo.listed(globex)["globex-gitlab"]["verification"]["status"] == "verified"
    actions = {item["action"] for item in demo.run("audit", "--account", acme, "--limit", "200")["items"]} | {
        item["action"] for item in demo.run("audit", "--account", globex, "--limit", "200")["items"]
    }
    assert {"secret.issued", "secret.refused", "credential.removed", "credential.secret_rotated"} <= actions
    usages = demo.run("credentials", "usages", "shop-images", "--account", acme)["items"]
    assert {usage["workload"]["name"] for usage in usages} == {"storefront", "checkout"}

    again = demo.run("demo", "--registry-port", str(demo.port), "--once", text=True)
    assert "exist already" in again.stderr
    token_file = demo.system.home / "admin.token"
    assert f"{demo.system.address}/; sign in with the token in {token_file};" in again.stdout
    assert "regcred images tags" not in again.stdout  # the registry does not run after --once
    assert len(demo.listed(acme)) == len(added)

    own = demo.run("demo", "--remove")
    assert own == {"removed": 11}
    assert demo.listed(acme) == demo.listed(globex) == {}
    refused = demo.fill(code=1)
    assert "has data already" in refused.stderr


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_registry_runs_until_a_signal(demo: Demo, end: signal.Signals) -> None:
    deaf = ["/bin/sh", "-c", "trap '' INT; exec \"$@\"", "sh"]  # as a script starts its jobs: SIGINT ignored
    with subprocess.Popen(
        [*deaf, *demo.command("demo", "--force", "--registry-port", str(demo.port))],
        env={"REGCRED_TOKEN_FILE": str(demo.system.home / "admin.token"), "PATH": "/usr/bin:/bin"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            for line in process.stderr:
                if "until Ctrl-C" in line:
                    break
            image = f"127.0.0.1:{demo.port}/acme/shop"
            account = ("--account", sample_data.ACCOUNTS[0], "--credential", "shop-images")
            tags = demo.run("images", "tags", image, *account)["items"]
            assert [tag["name"] for tag in tags] == ["1.2", "1.3", "1.4", "latest"]
            assert demo.run("images", "show", f"{image}:1.4", *account)["exists"]
            process.send_signal(end)
            assert process.wait(PATIENCE) == 0
            assert "has ended" in process.stderr.read()
        finally:
            process.kill()
    demo.run("demo", "--remove")


def test_a_blocked_demo_registry_adds_nothing_and_names_the_setting(demo: Demo) -> None:
    port = free_port()
    done = demo.run("demo", "--force", "--once", "--registry-port", str(port), code=1)
    assert f"REGCRED_VERIFIER_ALLOW=127.0.0.1:{port}" in done.stderr
    assert demo.listed(sample_data.ACCOUNTS[0]) == {}


def test_a_port_in_use_is_reported(demo: Demo) -> None:
    done = demo.run("demo", "--force", "--once", "--registry-port", str(demo.system.port), code=1)
    assert "--registry-port" in done.stderr


def test_the_demo_passwords_differ() -> None:
    """The registry must distinguish valid passwords from the wrong one."""
    assert len(set(PASSWORDS)) == len(PASSWORDS)
    assert sample_data.WRONG_PASSWORD not in {password for _, password in sample_data.LOGINS}
