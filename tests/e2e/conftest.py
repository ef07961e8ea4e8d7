"""The same suite in the one-machine mode (log tail, encrypted store) and in the full mode (RabbitMQ, Vault)."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.docker_registry import DockerRegistry
from tests.support.image_layout import write_image
from tests.support.rabbitmq import RabbitMQ, other_root
from tests.support.servers import missing, program
from tests.support.system import System
from tests.support.vault import Vault

USER = "octo"
PASSWORD = "right-horse-battery"  # also the canary that no log, event or response may contain

# For tests of what the client prints: adapters behind the API make no difference to it.
ONE_MACHINE_ONLY = pytest.mark.parametrize("running", ["one-machine"], indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("e2e")


@dataclass(frozen=True)
class Running:
    """A running system, its servers, and the registry that it may reach."""

    system: System
    registry: DockerRegistry
    vault: Vault | None
    broker: RabbitMQ | None


def second_name(address: str) -> str:
    """Return another host of the same registry."""
    return address.replace("127.0.0.1", "localhost")


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    """A real docker-registry with one user."""
    with DockerRegistry(users={USER: PASSWORD}) as running:
        yield running


@pytest.fixture(scope="session", params=["one-machine", "full"])
def running(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, registry: DockerRegistry
) -> Iterator[Running]:
    """The system in both modes, chosen by environment only."""
    home = tmp_path_factory.mktemp("home")
    environment = {
        "REGCRED_LOG_LEVEL": "debug",  # all log lines are searched for secrets
        "REGCRED_VERIFIER_ALLOW": "127.0.0.0/8",
        "REGCRED_VERIFIER_ALLOW_HTTP": f"{registry.address},{second_name(registry.address)},127.0.0.1:9",
    }
    with ExitStack() as servers:
        vault = broker = None
        if request.param == "full":
            vault = servers.enter_context(Vault())
            broker = servers.enter_context(RabbitMQ(other_root()))  # the newest one that is found
            environment |= {
                "REGCRED_BROKER_URL": broker.url,
                "REGCRED_VAULT_ADDR": vault.addr,
                "REGCRED_VAULT_ROLE_ID": vault.role_id("one-machine"),
                "REGCRED_VAULT_SECRET_ID_FILE": str(vault.secret_id_file("one-machine")),
            }
        system = servers.enter_context(System(home / "state", environment))
        yield Running(system, registry, vault, broker)


@pytest.fixture(scope="session")
def skopeo() -> str:
    found = program("skopeo")
    if found is None:
        missing("skopeo", "apt-get install skopeo")
    return str(found)


@pytest.fixture(scope="session")
def pushed(running: Running, skopeo: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The address of the registry with `team/app:1` and `other/app:1`."""
    layout = tmp_path_factory.mktemp("layout")
    write_image(layout)
    address = running.registry.address
    for repository in ("team/app", "other/app"):
        done = subprocess.run(
            [
                *(skopeo, "copy", "--dest-tls-verify=false", "--dest-creds", f"{USER}:{PASSWORD}"),
                *(f"oci:{layout}:1", f"docker://{address}/{repository}:1"),
            ],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
    return address
