"""Existing clients with the plugins: they pull from a real registry, and every use is recorded."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import pytest

from tests.e2e.conftest import PASSWORD, USER, Running
from tests.support.read_models import get_after
from tests.support.servers import missing, program
from tests.support.system import add_body
from tests.support.timing import PATIENCE

Json = dict[str, Any]
Done = subprocess.CompletedProcess[str]

BIN = Path(sys.executable).parent
NOT_FOUND = "credentials not found in native keychain\n"
_numbers = count(1)


@dataclass(frozen=True)
class Machine:
    """A machine that pulls for the project `shop` of an account, and the audit log of its requests."""

    client: httpx2.Client
    account: str
    environment: dict[str, str]
    auth_file: Path

    def run(self, *command: str, stdin: str = "", **environment: str) -> Done:
        done = subprocess.run(
            command,
            input=stdin,
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        assert "Traceback" not in done.stderr
        assert PASSWORD not in done.stderr
        return done

    def helper(self, *arguments: str, stdin: str = "", **environment: str) -> Done:
        return self.run("docker-credential-regcred", *arguments, stdin=stdin, **environment)

    def kubelet(self, image: str, *arguments: str, **more: Any) -> Done:
        """Start the provider as the kubelet does, for an image without its tag."""
        request = {
            "kind": "CredentialProviderRequest",
            "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
            "image": image,
            **more,
        }
        return self.run("regcred-kubelet-credential-provider", *arguments, stdin=json.dumps(request))

    def add(self, name: str, registry: str, **more: Any) -> Json:
        body = add_body(name, registry, USER, PASSWORD, **more)
        answer = self.client.post(f"/v1/accounts/{self.account}/credentials", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()  # type: ignore[no-any-return]

    def restrict(self, credential: Json, *projects: str) -> None:
        answer = self.client.put(
            f"/v1/accounts/{self.account}/credentials/{credential['id']}/restrictions",
            json={"restricted": True, "projects": projects},
            headers={"If-Match": "*"},
        )
        assert answer.status_code == 200, answer.text

    def uses(self) -> list[tuple[str, str, str, str | None]]:
        """The recorded uses, newest first: action, image, project and workload."""
        marker = self.client.post(
            f"/v1/accounts/{self.account}/pull-secrets",
            json={
                "images": ["nobody.example.com/marker"],
                "project_id": "marker",
                "workload": {"kind": "test", "name": "marker"},
            },
        )
        trail = get_after(
            marker, self.client, f"/v1/accounts/{self.account}/audit-events", {"project_id": "shop"}
        )
        assert trail.status_code == 200, trail.text
        assert PASSWORD not in trail.text
        return [
            (event["action"], event["image"], event["project_id"], _workload(event))
            for event in trail.json()["items"]
        ]


def _workload(event: Json) -> str:
    workload = event["after"]["workload"]
    return f"{workload['kind']}/{workload['name']}"


@pytest.fixture
def machine(running: Running, registry_address: str, tmp_path: Path) -> Iterator[Machine]:
    """Its helper is configured by a file only, as for a client that passes on no environment variables."""
    account = f"plugins-{next(_numbers)}"
    config = tmp_path / "home" / ".config" / "regcred" / "helper.toml"
    config.parent.mkdir(parents=True)
    token = (running.system.home / "admin.token").read_text()
    (config.parent / "token").write_text(token)
    config.write_text(
        f'address = "{running.system.address}"\ntoken_file = "token"\naccount = "{account}"\n'
        'project = "shop"\nworkload = "deployment/storefront"\n'
    )
    auth_file = tmp_path / "auth.json"
    auth_file.write_text(json.dumps({"credHelpers": {registry_address: "regcred"}}))
    environment = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(tmp_path / "home")}
    with running.system.client() as client:
        yield Machine(client, account, environment, auth_file)


@pytest.fixture
def registry_address(pushed: str) -> str:
    """The address of the registry with `team/app:1`."""
    return pushed


def skopeo_pull(machine: Machine, image: str, folder: Path) -> Done:
    return machine.run(
        *("skopeo", "copy", "--src-tls-verify=false", "--authfile", str(machine.auth_file)),
        *(f"docker://{image}", f"oci:{folder / 'pulled'}:1"),
    )


def podman_pull(machine: Machine, image: str, _folder: Path) -> Done:
    # Podman accepts paths of at most 50 characters for its runtime files.
    with TemporaryDirectory(prefix="podman-") as short:
        storage = ("--storage-driver", "vfs", "--root", f"{short}/root", "--runroot", f"{short}/run")
        return machine.run(
            *("podman", *storage, "pull", "--tls-verify=false", "--authfile", str(machine.auth_file), image)
        )


@pytest.mark.clients
@pytest.mark.parametrize("client", [skopeo_pull, podman_pull])
def test_a_client_pulls_through_the_helper(
    client: Callable[[Machine, str, Path], Done], machine: Machine, registry_address: str, tmp_path: Path
) -> None:
    name = client.__name__.removesuffix("_pull")
    if program(name) is None:
        missing(name, f"apt-get install {name}")
    image = f"{registry_address}/team/app:1"
    anonymous = client(machine, image, tmp_path)
    assert anonymous.returncode != 0
    assert "auth" in anonymous.stderr
    anyone = ("secret.refused", f"{registry_address}/*", "shop", "deployment/storefront")
    assert set(machine.uses()) == {anyone}

    # For a helper that is asked for a host only, it is the only possible credential.
    credential = machine.add("team", registry_address, repository_prefixes=["team/"])
    pulled = client(machine, image, tmp_path)
    assert pulled.returncode == 0, pulled.stderr
    issued = ("secret.issued", f"{registry_address}/*", "shop", "deployment/storefront")
    assert set(machine.uses()) == {anyone, issued}
    assert machine.uses()[0] == issued

    machine.restrict(credential, "blog")
    refused = client(machine, image, tmp_path)
    assert refused.returncode != 0
    assert "may be used (restricted)" in refused.stderr
    assert machine.uses()[0] == anyone


def test_the_helper_follows_the_protocol_of_docker(machine: Machine, registry_address: str) -> None:
    nothing = machine.helper("get", stdin=registry_address)
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (1, NOT_FOUND, "")
    machine.add("team", registry_address)
    found = machine.helper("get", stdin=f"{registry_address}\n")
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout) == {"ServerURL": registry_address, "Username": USER, "Secret": PASSWORD}
    hub = "https://index.docker.io/v1/"
    machine.add("hub", "docker.io", provider="dockerhub", registry_url=None)
    for server in (hub, "docker.io", "index.docker.io"):
        answer = json.loads(machine.helper("get", stdin=server).stdout)
        assert answer == {"ServerURL": server, "Username": USER, "Secret": PASSWORD}
    machine.uses()  # the read models are up to date
    listed = machine.helper("list")
    assert json.loads(listed.stdout) == {registry_address: USER, hub: USER}


def test_the_helper_reports_refusals(machine: Machine, registry_address: str) -> None:
    nobody = machine.helper("get", stdin=registry_address, REGCRED_TOKEN_FILE=os.devnull)
    assert (nobody.returncode, "does not contain a token" in nobody.stderr) == (1, True)
    assert nobody.stdout == nobody.stderr
    away = machine.helper("get", stdin=registry_address, REGCRED_ADDRESS="http://127.0.0.1:9")
    assert (away.returncode, "does not respond" in away.stderr) == (1, True)
    wrong = machine.helper("get", stdin="ghcr.io/acme")
    assert (wrong.returncode, "/registry_host" in wrong.stderr) == (1, True)
    for verb in ("store", "erase"):
        refused = machine.helper(verb, stdin=json.dumps({"Username": USER, "Secret": PASSWORD}))
        assert (refused.returncode, "regcred credentials add" in refused.stdout) == (1, True)
        assert PASSWORD not in refused.stdout
    assert machine.uses() == []


def test_the_kubelet_provider_issues_and_refuses(
    machine: Machine, registry_address: str, tmp_path: Path
) -> None:
    image = f"{registry_address}/team/app"
    nothing = machine.kubelet(image)
    assert nothing.returncode == 0, nothing.stderr
    assert json.loads(nothing.stdout)["auth"] is None
    credential = machine.add("team", registry_address)
    given = machine.kubelet(image)
    assert given.returncode == 0, given.stderr
    response = json.loads(given.stdout)
    assert response == {
        "apiVersion": "credentialprovider.kubelet.k8s.io/v1",
        "kind": "CredentialProviderResponse",
        "cacheKeyType": "Image",
        "cacheDuration": "0s",
        "auth": {image: {"username": USER, "password": PASSWORD}},
    }
    # The registry accepts the login of the response.
    plain = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
    machine.auth_file.write_text(json.dumps({"auths": {registry_address: {"auth": plain}}}))
    assert skopeo_pull(machine, f"{image}:1", tmp_path).returncode == 0

    claims = {"kubernetes.io": {"namespace": "prod", "serviceaccount": {"name": "web", "uid": "1"}}}
    token = f"e30.{base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip('=')}.sig"
    elsewhere = machine.kubelet(
        image, serviceAccountToken=token, serviceAccountAnnotations={"regcred/project": "blog"}
    )
    assert elsewhere.returncode == 0, elsewhere.stderr
    ours = machine.kubelet(image, serviceAccountToken=token)
    assert ours.returncode == 0, ours.stderr

    machine.restrict(credential, "blog")
    refused = machine.kubelet(image)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert "may be used (restricted)" in refused.stderr
    tagged = f"{image}:latest"
    assert machine.uses() == [
        ("secret.refused", tagged, "shop", "deployment/storefront"),
        ("secret.issued", tagged, "shop", "serviceaccount/prod/web"),
        ("secret.issued", tagged, "shop", "deployment/storefront"),
        ("secret.refused", tagged, "shop", "deployment/storefront"),
    ]


def test_the_kubelet_provider_reads_its_own_configuration_file(
    machine: Machine, registry_address: str, tmp_path: Path
) -> None:
    """The kubelet gives its plugins the arguments of its configuration."""
    machine.add("team", registry_address)
    own = Path(machine.environment["HOME"], ".config", "regcred", "helper.toml")
    node = own.with_name("node.toml")
    node.write_text(own.read_text().replace('"shop"', '"blog"'))
    given = machine.kubelet(f"{registry_address}/team/app", "--config", str(node))
    assert given.returncode == 0, given.stderr
    assert machine.uses() == []
