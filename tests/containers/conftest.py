"""The production topology in containers. It needs a docker daemon and the images, and is skipped without them."""

import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.support.compose import REGISTRY, Deployment, docker, needed
from tests.support.load import Target
from tests.support.servers import missing, program

USER = "octo"
SILENT = "silent.test:5000"
PASSWORD = "right-horse-battery"  # also the canary that no log, environment, image or table may contain
SETTINGS = {
    "REGCRED_VERIFIER_ALLOW": f"{REGISTRY},{SILENT}",
    "REGCRED_VERIFIER_ALLOW_HTTP": REGISTRY,
    "REGCRED_LOGINS_PER_HOST": "1000",
    "REGCRED_LOGINS_PER_ACCOUNT": "1000",
}

_SAY_NOTHING = (
    "import socket, time; s = socket.create_server(('', 5000)); kept = []\n"
    "while True: kept.append(s.accept())\n"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker("containers")
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="session")
def images() -> Path | None:
    """The environment file that names the servers' images; skips the test if there are none."""
    return needed()


@pytest.fixture(scope="session")
def deployment(images: Path | None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """`docker compose up`, with two registries that the verifier may reach in the network `outside`: a good one,
    and one that takes connections and says nothing.
    """
    folder = tmp_path_factory.mktemp("registry")
    with Deployment(SETTINGS, images) as running, registries(running, images, folder):
        yield running


@contextmanager
def registries(running: Deployment, images: Path | None, folder: Path) -> Iterator[None]:
    """Both registries beside a deployment."""
    folder.chmod(0o755)
    _write_registry(folder)
    outside = f"{running.project}_outside"
    with ExitStack() as beside:
        for alias, *command in (
            (REGISTRY, "--volume", f"{folder}:/etc/docker/registry:ro", _registry_image(images)),
            (SILENT, "--entrypoint", "python3", "regcred/tools", "-c", _SAY_NOTHING),
        ):
            name = alias.partition(":")[0]
            container = f"{running.project}-{name}"
            beside.callback(docker, "rm", "--force", container)
            docker(
                *("run", "--detach", "--name", container, "--network", outside, "--network-alias", name),
                *command,
            )
        yield


@pytest.fixture(scope="session")
def target(deployment: Deployment) -> Target:
    return Target(deployment.client, REGISTRY, USER, PASSWORD)


def _write_registry(folder: Path) -> None:
    htpasswd = program("htpasswd")
    if htpasswd is None:
        missing("htpasswd", "apt-get install apache2-utils")
    done = subprocess.run([htpasswd, "-Bbn", USER, PASSWORD], capture_output=True, text=True, check=True)
    (folder / "htpasswd").write_text(done.stdout)
    (folder / "config.yml").write_text(
        "version: 0.1\nstorage: {filesystem: {rootdirectory: /tmp/registry}}\n"
        'http: {addr: ":5000"}\nauth: {htpasswd: {realm: test, path: /etc/docker/registry/htpasswd}}\n'
    )


def _registry_image(images: Path | None) -> str:
    return variable(images, "REGISTRY_IMAGE") or "registry:2"


def variable(file: Path | None, name: str) -> str | None:
    lines = file.read_text().splitlines() if file else []
    return dict(line.partition("=")[::2] for line in lines).get(name)
