"""Every client of the matrix finds the login of each image in the secret that the API issues for it."""

import base64
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.integration.issuing.calls import Api, Json, pull
from tests.integration.issuing.clients import clients
from tests.integration.issuing.clients.clients import Lookup
from tests.integration.issuing.clients.matrix import CREDENTIALS, HOSTS, REFUSED, REQUESTS, Request
from tests.support.system import add_body

pytestmark = pytest.mark.clients

Ask = Callable[[Sequence[Lookup], Path], list[str]]


@dataclass(frozen=True)
class Expected:
    """A look-up, and the login that the client must find."""

    lookup: Lookup
    login: str


@pytest.fixture(scope="module")
def stored(api: Api) -> dict[str, str]:
    """The account of each set of credentials, with the set on every host."""
    client = api.client(api.admin)
    accounts = {name: f"clients-{number}" for number, name in enumerate(CREDENTIALS)}
    for name, account in accounts.items():
        for host in HOSTS:
            for username, prefixes in CREDENTIALS[name].items():
                more: Json = {"repository_prefixes": prefixes} if prefixes else {}
                _add(client, account, username, host, more)
    return accounts


def _add(client: FlaskClient, account: str, username: str, host: str, more: Json) -> None:
    body = add_body(f"{username}-{HOSTS.index(host)}", host, username, "a-password", **more)
    if host == "docker.io":
        body["provider"] = "dockerhub"
    answer = client.post(f"/v1/accounts/{account}/credentials", json=body)
    assert answer.status_code == 201, answer.text


@pytest.fixture(scope="module")
def asking(api: Api, stored: dict[str, str]) -> Callable[..., Json]:
    """Requests a pull secret and returns the response."""

    def asked(request: Request, images: Sequence[str], *, status: int = 200, **more: Any) -> Json:
        answer = pull(api.client(api.admin), stored[request.credentials], *images, **more)
        assert answer.status_code == status, answer.text
        return answer.get_json()  # type: ignore[no-any-return]

    return asked


def of_repositories(asking: Callable[..., Json], *, format: str, client: str) -> Iterator[Expected]:  # noqa: A002
    """Return the look-ups of a client that looks up repositories: the same with `client` and without."""
    for request in REQUESTS:
        images = [row.image for row in request.rows]
        issued = asking(request, images, format=format, client=client)
        assert issued[format] == asking(request, images, format=format)[format]
        for row in request.rows:
            yield Expected(Lookup(row.image, issued[format]), row.login)


def of_hosts(asking: Callable[..., Json]) -> Iterator[Expected]:
    """Return the look-ups of a client that looks up hosts: what it cannot find is refused."""
    for request in REQUESTS:
        refused = [row.image for row in request.rows if row.docker == REFUSED]
        served = [row for row in request.rows if row.docker != REFUSED]
        images = [row.image for row in request.rows]
        if refused:
            problem = asking(request, images, client="docker", status=409)
            assert problem["code"] == "one_login_per_host"
            assert [error["pointer"] for error in problem["errors"]] == [
                f"/images/{images.index(image)}" for image in refused
            ]
        if refused and served:
            # Without `client` the file is issued, and the client always finds the login of the host.
            found = served[0].docker
            config = asking(request, images)["docker_config"]
            yield from (Expected(Lookup(image, config), found) for image in images)
        if served:
            config = asking(request, [row.image for row in served], client="docker")["docker_config"]
            yield from (Expected(Lookup(row.image, config), row.docker) for row in served)


def compare(found: list[str], expected: Sequence[Expected]) -> None:
    wrong = [
        f"{one.lookup.image}: {login or 'anonymous'} in place of {one.login}"
        for login, one in zip(found, expected, strict=True)
        if login != one.login
    ]
    assert wrong == []


@pytest.mark.parametrize("ask", [clients.docker, clients.docker_py, clients.helm])
def test_clients_that_look_up_hosts(ask: Ask, asking: Callable[..., Json], tmp_path: Path) -> None:
    expected = list(of_hosts(asking))
    compare(ask([one.lookup for one in expected], tmp_path), expected)


@pytest.mark.parametrize("ask", [clients.podman, clients.skopeo])
def test_clients_that_look_up_repositories(ask: Ask, asking: Callable[..., Json], tmp_path: Path) -> None:
    expected = list(of_repositories(asking, format="docker_config", client="podman"))
    compare(ask([one.lookup for one in expected], tmp_path), expected)


def test_clients_with_a_library_in_go(asking: Callable[..., Json], tmp_path: Path) -> None:
    """One process asks for all of them."""
    expected = {
        "crane": list(of_repositories(asking, format="docker_config", client="crane")),
        "kubelet": list(of_repositories(asking, format="kubernetes_secret", client="kubernetes")),
        "keyring": list(of_repositories(asking, format="kubernetes_secret", client="crane")),
        "oras": list(of_hosts(asking)),
    }
    lookups = [(client, one.lookup) for client, several in expected.items() for one in several]
    compare(clients.go_clients(lookups, tmp_path), list(chain.from_iterable(expected.values())))


def test_all_formats_have_the_same_logins(asking: Callable[..., Json]) -> None:
    for request in REQUESTS:
        images = [row.image for row in request.rows]
        config = asking(request, images)["docker_config"]
        secret = asking(request, images, format="kubernetes_secret")["kubernetes_secret"]
        assert json.loads(base64.b64decode(secret["data"][".dockerconfigjson"])) == config
        for row in request.rows:
            basic = asking(request, [row.image], format="basic", client="docker")["basic"]
            assert basic["username"] == row.login
