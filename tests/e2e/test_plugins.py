"""Existing clients with the plugins: they pull from a real registry, and every use is recorded."""

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx2
import pytest

from chassis.runtime.clock import now
from tests.e2e.conftest import PASSWORD, USER, Running
from tests.support.image_layout import write_image
from tests.support.read_models import get_after
from tests.support.servers import missing, program
from tests.support.system import add_body
from tests.support.timing import PATIENCE, waiting

Json = dict[str, Any]
Done = subprocess.CompletedProcess[str]

BIN = Path(sys.executable).parent
# The clients that Debian does not have. `.ci/run` installs the same versions.
GO_CLIENTS = {
    "crane": "github.com/google/go-containerregistry/cmd/crane@v0.22.1",
    "helm": "helm.sh/helm/v3/cmd/helm@v3.22.0",
    "oras": "oras.land/oras/cmd/oras@v1.2.3",
}
SYSTEM_PYTHON = "/usr/bin/python3"  # with the package python3-docker of Debian
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

    def everywhere(self) -> Path:
        """A folder with a Docker configuration that uses the helper for every registry."""
        folder = self.auth_file.with_name("docker")
        folder.mkdir(exist_ok=True)
        (folder / "config.json").write_text('{"credsStore": "regcred"}')
        return folder

    def limited_token(self, project: str, *scopes: str) -> str:
        """The file of a token for a project, as `regcred tokens make` creates it."""
        body = {"name": "helper", "scopes": scopes, "accounts": [self.account], "projects": [project]}
        created = self.client.post("/v1/service-tokens", json=body)
        assert created.status_code == 201, created.text
        file = self.auth_file.with_name("limited-token")
        file.write_text(created.json()["token"])
        return str(file)

    def add(self, name: str, registry: str, *, username: str = USER, **more: Any) -> Json:
        body = add_body(name, registry, username, PASSWORD, **more)
        answer = self.client.post(f"/v1/accounts/{self.account}/credentials", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()  # type: ignore[no-any-return]

    def restrict(self, credential: Json, *projects: str) -> None:
        answer = self.client.put(
            f"/v1/accounts/{self.account}/credentials/{credential['id']}/restrictions?force=true&reason=test",
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


def crane_pull(machine: Machine, image: str, _folder: Path) -> Done:
    return machine.run("crane", "manifest", "--insecure", image, DOCKER_CONFIG=str(machine.everywhere()))


def oras_pull(machine: Machine, image: str, _folder: Path) -> Done:
    config = machine.everywhere() / "config.json"
    return machine.run("oras", "manifest", "fetch", "--plain-http", "--registry-config", str(config), image)


def docker_py_logins(machine: Machine) -> Done:
    """What docker-py sends with every build."""
    code = (
        "import docker.auth, json, sys; config = docker.auth.load_config(sys.argv[1]);"
        "print(json.dumps(config.get_all_credentials()))"
    )
    config = machine.everywhere() / "config.json"
    return machine.run(SYSTEM_PYTHON, "-c", code, str(config))


def need(name: str) -> None:
    if name in GO_CLIENTS and program(name) is None:
        missing(name, f"go install {GO_CLIENTS[name]}")
    if program(name) is None:
        missing(name, f"apt-get install {name}")


@pytest.mark.clients
@pytest.mark.parametrize("client", [skopeo_pull, podman_pull])
def test_a_client_pulls_through_the_helper(
    client: Callable[[Machine, str, Path], Done], machine: Machine, registry_address: str, tmp_path: Path
) -> None:
    need(client.__name__.removesuffix("_pull"))
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


@pytest.mark.clients
def test_go_containerregistry_gets_the_login_of_the_repository(
    machine: Machine, registry_address: str, tmp_path: Path
) -> None:
    """It asks the helper for the repository first, and then for the host."""
    need("crane")
    image = f"{registry_address}/team/app:1"
    anonymous = crane_pull(machine, image, tmp_path)
    assert "UNAUTHORIZED" in anonymous.stderr, anonymous.stderr
    repository = ("secret.refused", f"{registry_address}/team/app", "shop", "deployment/storefront")
    host = ("secret.refused", f"{registry_address}/*", "shop", "deployment/storefront")
    assert machine.uses() == [host, repository]

    # For the host alone the helper could not select one of them.
    machine.add("team", registry_address, repository_prefixes=["team/"])
    machine.add("other", registry_address, repository_prefixes=["other/"])
    pulled = crane_pull(machine, image, tmp_path)
    assert pulled.returncode == 0, pulled.stderr
    assert machine.uses()[0] == ("secret.issued", *repository[1:])


@pytest.mark.clients
def test_oras_pulls_through_the_helper(machine: Machine, registry_address: str, tmp_path: Path) -> None:
    need("oras")
    image = f"{registry_address}/team/app:1"
    assert oras_pull(machine, image, tmp_path).returncode != 0
    machine.add("team", registry_address)
    pulled = oras_pull(machine, image, tmp_path)
    assert pulled.returncode == 0, pulled.stderr


def helm(machine: Machine, config: Path, *command: str) -> Done:
    return machine.run("helm", *command, "--plain-http", "--registry-config", str(config))


@pytest.mark.clients
def test_helm_pulls_charts_with_an_issued_login_and_through_the_helper(
    machine: Machine, registry_address: str, tmp_path: Path
) -> None:
    need("helm")
    chart, login = tmp_path / "chart", tmp_path / "login.json"
    chart.mkdir()
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: front\nversion: 1.0.0\n")
    assert machine.run("helm", "package", str(chart), "--destination", str(tmp_path)).returncode == 0
    machine.add("team", registry_address)
    basic = machine.client.post(
        f"/v1/accounts/{machine.account}/pull-secrets",
        json={
            "repository": f"{registry_address}/team/front",
            "project_id": "shop",
            "workload": {"kind": "job", "name": "helm"},
            "format": "basic",
        },
    ).json()["basic"]
    user = ("--username", basic["username"], "--password", basic["password"])
    for command in (
        ("registry", "login", registry_address, *user),
        ("push", str(tmp_path / "front-1.0.0.tgz"), f"oci://{registry_address}/team"),
    ):
        done = helm(machine, login, *command)
        assert done.returncode == 0, done.stderr

    pull = ("pull", f"oci://{registry_address}/team/front", "--version", "1.0.0", "--destination")
    nobody = tmp_path / "nobody.json"
    nobody.write_text("{}")
    assert helm(machine, nobody, *pull, str(tmp_path / "nobody")).returncode != 0
    for name, config in {"login": login, "helper": machine.everywhere() / "config.json"}.items():
        (tmp_path / name).mkdir()
        pulled = helm(machine, config, *pull, str(tmp_path / name))
        assert pulled.returncode == 0, pulled.stderr
        assert (tmp_path / name / "front-1.0.0.tgz").exists()
    assert machine.uses()[0] == (
        "secret.issued",
        f"{registry_address}/*",
        "shop",
        "deployment/storefront",
    )


@pytest.mark.clients
@pytest.mark.parametrize("client", ["podman", "skopeo", "oras", "helm", "docker"])
def test_a_client_logs_out_without_a_change(client: str, machine: Machine, registry_address: str) -> None:
    need(client)
    machine.add("team", registry_address)
    config = machine.everywhere()
    options: dict[str, tuple[str, ...]] = {
        "podman": ("--authfile", str(machine.auth_file)),
        "skopeo": ("--authfile", str(machine.auth_file)),
        "oras": ("--registry-config", str(config / "config.json")),
        "helm": ("--registry-config", str(config / "config.json")),
        "docker": (),
    }
    command = ("helm", "registry") if client == "helm" else (client,)
    done = machine.run(*command, "logout", *options[client], registry_address, DOCKER_CONFIG=str(config))
    assert done.returncode == 0, done.stderr
    assert machine.helper("get", stdin=registry_address).returncode == 0


@pytest.mark.clients
def test_docker_py_reads_every_login_of_the_helper(machine: Machine, registry_address: str) -> None:
    """One registry that `list` names and `get` refuses would break every build of an image."""
    if machine.run(SYSTEM_PYTHON, "-c", "import docker").returncode != 0:
        missing("docker-py", "apt-get install python3-docker")
    add_unusable(machine)
    machine.add("team", registry_address)
    (Path(machine.environment["HOME"]) / ".config" / "regcred" / "token").write_text(
        Path(machine.limited_token("shop", "secrets:issue")).read_text()
    )
    found = docker_py_logins(machine)
    assert found.returncode == 0, found.stderr
    assert {host: entry["Username"] for host, entry in json.loads(found.stdout).items()} == {
        registry_address: USER
    }


def add_unusable(machine: Machine) -> None:
    """Add credentials that `get` for their hosts refuses."""
    expiry = now() + timedelta(seconds=1)
    machine.add("expired", "expired.example.com", expires_at=expiry.isoformat())
    machine.add("push only", "push.example.com", scope={"pull": False, "push": True})
    for prefix in ("acme", "other"):
        machine.add(f"prefix {prefix}", "prefixes.example.com", repository_prefixes=[prefix])
    blog = {"restricted": True, "projects": ["blog"]}
    machine.add("of another project", "restricted.example.com", restrictions=blog)
    waiting(lambda: now() > expiry)


def test_the_helper_gets_the_login_that_the_machine_chooses(machine: Machine) -> None:
    for name in ("first", "second"):
        machine.add(name, "two.example.com", username=name)
    for choice, username in (("", "second"), ("first", "first"), ("SECOND", "second")):
        got = machine.helper("get", stdin="two.example.com", REGCRED_CREDENTIAL=choice)
        assert json.loads(got.stdout)["Username"] == username, got.stderr
    assert json.loads(machine.helper("list", REGCRED_CREDENTIAL="first").stdout) == {
        "two.example.com": "first"
    }
    unknown = machine.helper("get", stdin="two.example.com", REGCRED_CREDENTIAL="third")
    assert unknown.returncode == 1
    assert "credential_not_found" in unknown.stderr


def test_the_helper_lists_what_it_gets(machine: Machine, registry_address: str) -> None:
    add_unusable(machine)
    hosts = ("expired", "push", "prefixes", "restricted")
    for host in hosts:
        assert "no_eligible_credential" in machine.helper("get", stdin=f"{host}.example.com").stderr
        allowed = machine.helper("get", stdin=f"{host}.example.com", REGCRED_ALLOW_NOT_ELIGIBLE="yes")
        assert (allowed.returncode, allowed.stdout) == (1, NOT_FOUND)
    assert machine.helper("list").stdout == "{}\n"
    # The first is the only one that may be used, the second the later one of two.
    for name in ("old", "new"):
        machine.add(name, registry_address, username=name)
    machine.add("usable", "prefixes.example.com", username="general")
    machine.add("one prefix", "prefix.example.com", username="prefix", repository_prefixes=["acme"])
    listed = json.loads(machine.helper("list").stdout)
    assert listed == {
        registry_address: "new",
        "prefixes.example.com": "general",
        "prefix.example.com": "prefix",
    }
    for server, username in listed.items():
        assert json.loads(machine.helper("get", stdin=server).stdout)["Username"] == username


def test_the_helper_works_with_the_documented_token(machine: Machine, registry_address: str) -> None:
    machine.add("team", registry_address)
    token = machine.limited_token("shop", "secrets:issue")
    listed = machine.helper("list", REGCRED_TOKEN_FILE=token)
    assert (listed.returncode, json.loads(listed.stdout)) == (0, {registry_address: USER}), listed.stderr
    assert machine.helper("get", stdin=registry_address, REGCRED_TOKEN_FILE=token).returncode == 0


@pytest.mark.parametrize(
    "server",
    [
        "oci://ghcr.io",
        "https://index.docker.io/v1/access-token",
        "https://index.docker.io/v1/refresh-token",
        "ghcr",
        "registry/acme/shop",
        "https://octo@ghcr.io",
        "ghcr.io/Acme",
        "*.azurecr.io",
        "ghcr.io?x",
        "ghcr.io/acme/..",
        "nothing like a host",
    ],
)
def test_the_helper_finds_nothing_for_what_is_not_a_registry(machine: Machine, server: str) -> None:
    machine.add("hub", "docker.io", provider="dockerhub", registry_url=None)
    nothing = machine.helper("get", stdin=server)
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (1, NOT_FOUND, "")
    assert machine.uses() == []


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
    listed = machine.helper("list")
    assert json.loads(listed.stdout) == {registry_address: USER, hub: USER}


def test_the_helper_reports_refusals(machine: Machine, registry_address: str) -> None:
    nobody = machine.helper("get", stdin=registry_address, REGCRED_TOKEN_FILE=os.devnull)
    assert (nobody.returncode, "does not contain a token" in nobody.stderr) == (1, True)
    assert nobody.stdout == nobody.stderr
    away = machine.helper("get", stdin=registry_address, REGCRED_ADDRESS="http://127.0.0.1:9")
    assert (away.returncode, "does not respond" in away.stderr) == (1, True)
    long = machine.helper("get", stdin=registry_address, REGCRED_WORKLOAD=f"job/{'x' * 300}")
    assert (long.returncode, "/workload/name" in long.stderr) == (1, True)
    refused = machine.helper("store", stdin=json.dumps({"Username": USER, "Secret": PASSWORD}))
    assert (refused.returncode, "regcred credentials add" in refused.stdout) == (1, True)
    assert PASSWORD not in refused.stdout
    erased = machine.helper("erase", stdin=registry_address)
    assert (erased.returncode, "nothing was removed" in erased.stderr) == (0, True)
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
    # The kubelet does not say the tag.
    assert machine.uses() == [
        ("secret.refused", image, "shop", "deployment/storefront"),
        ("secret.issued", image, "shop", "serviceaccount/prod/web"),
        ("secret.issued", image, "shop", "deployment/storefront"),
        ("secret.refused", image, "shop", "deployment/storefront"),
    ]


def test_a_service_account_selects_one_of_the_accounts_of_a_node(
    machine: Machine, registry_address: str, tmp_path: Path
) -> None:
    """Each has a token of its own, and what a pod selects grants nothing."""
    machine.add("of-the-first", registry_address)
    other = replace(machine, account=f"{machine.account}-other")
    other.add("of-the-other", registry_address)
    image = f"{registry_address}/team/app"
    file = tmp_path / "node.toml"
    file.write_text(
        f'address = "{machine.client.base_url}"\nproject = "shop"\n'
        f'[accounts.{machine.account}]\ntoken_file = "first"\n'
        f'[accounts.{other.account}]\ntoken_file = "other"\n'
    )
    for name, one in (("first", machine), ("other", other)):
        Path(one.limited_token("shop", "secrets:issue")).rename(tmp_path / name)

    def pull(account: str | None) -> Done:
        annotations = {} if account is None else {"regcred/account": account}
        return machine.kubelet(image, "--config", str(file), serviceAccountAnnotations=annotations)

    for one in (machine, other):
        selected = pull(one.account)
        assert selected.returncode == 0, selected.stderr
        assert next(action for action, *_ in one.uses()) == "secret.issued"
    assert "does not have" in pull("umbrella").stderr
    assert "no account" in pull(None).stderr
    assert {pull("umbrella").stdout, pull(None).stdout} == {""}


def test_a_selected_account_or_project_is_refused_if_the_token_of_the_node_is_not_for_it(
    machine: Machine, registry_address: str, tmp_path: Path
) -> None:
    """The file names an account that its token cannot use, and the server decides."""
    machine.add("of-the-first", registry_address)
    other = replace(machine, account=f"{machine.account}-other")
    other.add("of-the-other", registry_address)
    file = tmp_path / "node.toml"
    token = machine.limited_token("shop", "secrets:issue")
    file.write_text(
        f'address = "{machine.client.base_url}"\ntoken_file = "{token}"\n'
        f'account = "{machine.account}"\nproject = "shop"\n[accounts.{other.account}]\n'
    )

    def pull(annotations: Json) -> Done:
        return machine.kubelet(
            f"{registry_address}/team/app", "--config", str(file), serviceAccountAnnotations=annotations
        )

    refused = (pull({"regcred/account": other.account}), pull({"regcred/project": "blog"}))
    assert [(one.returncode, one.stdout) for one in refused] == [(1, ""), (1, "")]
    assert ["token" in one.stderr for one in refused] == [True, True], refused
    assert [action for action, *_ in (*machine.uses(), *other.uses()) if action == "secret.issued"] == []
    ours = pull({"regcred/account": machine.account, "regcred/project": "shop"})
    assert ours.returncode == 0, ours.stderr


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


def _skopeo_push(machine: Machine, layout: Path, image: str) -> Done:
    return machine.run(
        *("skopeo", "copy", "--dest-tls-verify=false", "--authfile", str(machine.auth_file)),
        *(f"oci:{layout}", f"docker://{image}"),
        REGCRED_OPERATION="push",
    )


def _crane_push(machine: Machine, layout: Path, image: str) -> Done:
    command = ("crane", "push", "--insecure", str(layout), image)
    return machine.run(*command, DOCKER_CONFIG=str(machine.everywhere()), REGCRED_OPERATION="push")


@pytest.mark.clients
@pytest.mark.parametrize("push", [_skopeo_push, _crane_push])
def test_a_builder_pushes_with_a_credential_that_nobody_can_pull_with(
    machine: Machine, registry_address: str, tmp_path: Path, push: Callable[[Machine, Path, str], Done]
) -> None:
    need("skopeo" if push is _skopeo_push else "crane")
    machine.add("builder", registry_address, scope={"pull": False, "push": True})
    layout, image = tmp_path / "built", f"{registry_address}/team/built:1"
    write_image(layout)
    token = machine.limited_token("shop", "secrets:issue_push")
    builder = replace(machine, environment={**machine.environment, "REGCRED_TOKEN_FILE": token})
    pushed = push(builder, layout, image)
    assert pushed.returncode == 0, pushed.stderr
    assert skopeo_pull(machine, image, tmp_path).returncode != 0, "its scope excludes pulls"
    actions = {(action, workload) for action, _, _, workload in machine.uses()}
    assert {
        ("secret.issued", "deployment/storefront"),
        ("secret.refused", "deployment/storefront"),
    } <= actions
