"""Clients find the login of an image in an issued configuration, under the key that they look for.

No image is pulled: each client is asked which login it would use.
"""

import json
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from chassis.secret import Secret
from contracts.credential_events import Restrictions, Scope
from contracts.issuance_events import Workload
from contracts.verdicts import VerificationStatus
from credentials.api.requested_images import other_spellings
from credentials.domain.issuance import PullSecretRequest, plan
from credentials.domain.pull_secret_formats import Issued, docker_config
from registries.image_reference import ImageReference
from registries.logins.registry_login import RegistryLogin
from registries.matching import Candidate, RequestedUse
from tests.e2e.test_plugins import SYSTEM_PYTHON, need

pytestmark = pytest.mark.clients

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def credential(name: str, host: str, *prefixes: str) -> Candidate:
    return Candidate(
        credential_id=UUID(int=sum(name.encode())),
        version=1,
        name=name,
        registry_host=host,
        repository_prefixes=prefixes,
        scope=Scope(pull=True, push=False),
        restrictions=Restrictions(restricted=False, projects=()),
        secret_version=1,
        expires_at=None,
        verification=VerificationStatus.VERIFIED,
        added_at=NOW,
    )


def issued(folder: Path, images: list[str], *candidates: Candidate) -> Path:
    """A folder with the configuration that is issued for these images. Usernames are names of credentials."""
    body = {"images": images, "repository": None}
    wanted = PullSecretRequest(
        images=tuple(map(ImageReference.parse, images)),
        project_id="shop",
        workload=Workload(kind="job", name="x"),
        format="docker_config",
        allow_anonymous=False,
        spellings=other_spellings(body),
    )
    decided = plan(wanted, candidates, RequestedUse(project_id="shop", operation="pull", at=NOW))
    logins = [
        Issued(grant=one, login=RegistryLogin(username=one.candidate.name, password=Secret("a-password")))
        for one in decided.grants
    ]
    (folder / "config.json").write_text(json.dumps(docker_config(logins, wanted.spellings)))
    return folder


def run(*command: str, **environment: str) -> str:
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    return done.stdout.strip()


def host_of(image: str) -> str:
    first, slash, _ = image.partition("/")
    return first if slash and ("." in first or ":" in first) else "docker.io"


def parsed(image: str) -> str:
    """The name that Podman and Skopeo look for when they pull an image."""
    name = image if "/" in image else f"docker.io/library/{image}"
    return f"docker.io/{name.removeprefix('index.docker.io/')}" if name.startswith("index.") else name


def skopeo(folder: Path, image: str) -> str:
    need("skopeo")
    return run("skopeo", "login", "--get-login", "--authfile", str(folder / "config.json"), parsed(image))


def podman(folder: Path, image: str) -> str:
    need("podman")
    return run("podman", "login", "--get-login", "--authfile", str(folder / "config.json"), parsed(image))


def crane(folder: Path, image: str) -> str:
    need("crane")
    found = run("crane", "auth", "get", host_of(image), DOCKER_CONFIG=str(folder))
    return str(json.loads(found)["Username"]) if found else ""


def docker_py(folder: Path, image: str) -> str:
    code = (
        "import docker.auth, sys; config = docker.auth.load_config(sys.argv[1]);"
        "print((config.resolve_authconfig(sys.argv[2]) or {}).get('username', ''))"
    )
    return run(SYSTEM_PYTHON, "-c", code, str(folder / "config.json"), host_of(image))


BY_REPOSITORY = [skopeo, podman]
BY_HOST = [crane, docker_py]
HUB = credential("hub", "docker.io")
HUB_TEAM = credential("hub-team", "docker.io", "team")
GHCR = credential("ghcr", "ghcr.io")
GHCR_TEAM = credential("ghcr-team", "ghcr.io", "acme")


@pytest.mark.parametrize("client", [*BY_REPOSITORY, *BY_HOST])
@pytest.mark.parametrize(
    "image",
    [
        "nginx",
        "docker.io/acme/shop",
        "index.docker.io/acme/shop",
        "registry-1.docker.io/acme/shop",
        "registry.hub.docker.com/acme/shop",
        "ghcr.io/acme/shop",
        "ghcr.io:443/acme/shop",
    ],
)
def test_every_client_finds_the_only_login_in_the_spelling_of_the_request(
    client: Callable[[Path, str], str], image: str, tmp_path: Path
) -> None:
    folder = issued(tmp_path, [image], HUB, GHCR)
    assert client(folder, image) == ("ghcr" if "ghcr" in image else "hub")


SEVERAL = ["nginx", "docker.io/team/app", "ghcr.io/other/x", "ghcr.io/acme/shop", "ghcr.io:443/acme/shop"]


@pytest.mark.parametrize("client", BY_REPOSITORY)
def test_clients_of_repositories_find_each_of_several_logins(
    client: Callable[[Path, str], str], tmp_path: Path
) -> None:
    folder = issued(tmp_path, SEVERAL, HUB, HUB_TEAM, GHCR, GHCR_TEAM)
    assert [client(folder, image) for image in SEVERAL] == [
        "hub",
        "hub-team",
        "ghcr",
        "ghcr-team",
        "ghcr-team",
    ]


@pytest.mark.parametrize("client", BY_HOST)
def test_clients_of_hosts_find_the_login_without_prefixes(
    client: Callable[[Path, str], str], tmp_path: Path
) -> None:
    folder = issued(tmp_path, SEVERAL, HUB, HUB_TEAM, GHCR, GHCR_TEAM)
    assert [client(folder, image) for image in SEVERAL] == ["hub", "hub", "ghcr", "ghcr", "ghcr"]
