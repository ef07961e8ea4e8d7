"""Skopeo and Podman pull an image of Docker Hub through a real mirror, with the secret that the API issues."""

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from tests.integration.issuing.calls import Api, Json, pull
from tests.integration.issuing.clients.clients import needed
from tests.support.docker_registry import DockerRegistry
from tests.support.image_layout import write_image
from tests.support.system import add_body

pytestmark = pytest.mark.clients

USER, PASSWORD, IMAGE = "octo", "mirror-5b1e77a0", "docker.io/library/nginx:1"
ACCOUNT = "mirrors"


@pytest.fixture(scope="module")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerRegistry]:
    layout = tmp_path_factory.mktemp("image") / "layout"
    write_image(layout)
    with DockerRegistry(users={USER: PASSWORD}) as registry:
        to = f"docker://{registry.address}/library/nginx:1"
        options = ["--dest-creds", f"{USER}:{PASSWORD}", "--dest-tls-verify=false"]
        subprocess.run([needed("skopeo"), "copy", "--quiet", *options, f"oci:{layout}", to], check=True)
        yield registry


@pytest.fixture(scope="module")
def registries(mirror: DockerRegistry, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A containers-registries.conf(5) with the mirror. Docker Hub itself cannot be reached."""
    file = tmp_path_factory.mktemp("registries") / "registries.conf"
    file.write_text(
        f"""
[[registry]]
prefix = "docker.io"
location = "127.0.0.1:9"
insecure = true
[[registry.mirror]]
location = "{mirror.address}"
insecure = true
"""
    )
    return file


@pytest.fixture(scope="module")
def secret(api: Api, mirror: DockerRegistry) -> Json:
    client = api.client(api.admin)
    body = add_body("mirror", mirror.address, USER, PASSWORD, mirror_of=["docker.io"])
    assert client.post(f"/v1/accounts/{ACCOUNT}/credentials", json=body).status_code == 201
    answer = pull(client, ACCOUNT, IMAGE, client="podman")
    assert answer.status_code == 200, answer.text
    config: Json = answer.get_json()["docker_config"]
    assert set(config["auths"]) == {mirror.address}
    return config


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder with a short path, as Podman requires."""
    with TemporaryDirectory(prefix="m", dir="/tmp") as path:
        yield Path(path)


@pytest.mark.parametrize("client", ["skopeo", "podman"])
def test_a_client_pulls_through_the_mirror(client: str, registries: Path, secret: Json, folder: Path) -> None:
    without = _pulled(client, registries, {"auths": {}}, folder)
    assert without.returncode != 0
    assert "authentication required" in without.stderr
    pulled = _pulled(client, registries, secret, folder)
    assert pulled.returncode == 0, pulled.stderr


def _pulled(client: str, registries: Path, config: Json, folder: Path) -> "subprocess.CompletedProcess[str]":
    auth_file = folder / "auth.json"
    auth_file.write_text(json.dumps(config))
    source = ["--authfile", str(auth_file), f"docker://{IMAGE}"]
    options = {
        "skopeo": ["--registries-conf", str(registries), "copy", *source, f"dir:{folder / 'image'}"],
        "podman": [
            *("--root", str(folder / "root"), "--runroot", str(folder / "run"), "--storage-driver", "vfs"),
            *("pull", *source),
        ],
    }
    environment = {**os.environ, "CONTAINERS_REGISTRIES_CONF": str(registries)}
    command = [needed(client), *options[client]]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=120)
