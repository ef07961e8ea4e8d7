"""The client matrix: which login each client finds in a pull secret, by credentials and spelling of the image.

`docs/integrations.md` shows the table and the versions. `test_clients.py` asks the clients.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

REFUSED = "refused"  # with `client`: `docker`

# Usernames of the credentials of each registry host, with their repository prefixes.
CREDENTIALS: dict[str, dict[str, list[str]]] = {
    "one": {"whole": []},
    "one with prefixes": {"acme": ["acme"]},
    "one without and one with prefixes": {"whole": [], "acme": ["acme"]},
    "two with prefixes": {"acme": ["acme"], "other": ["other"]},
}
HOSTS = ("docker.io", "ghcr.io", "reg.example.com:5000")


@dataclass(frozen=True)
class Row:
    """An image as its user writes it, the username to pull it with, and the result for clients of hosts."""

    image: str
    login: str
    docker: str


@dataclass(frozen=True)
class Request:
    """The images of one request, with the credentials of their host."""

    credentials: str
    rows: tuple[Row, ...]


def _alone(credentials: str, *rows: Row) -> tuple[Request, ...]:
    return tuple(Request(credentials, (row,)) for row in rows)


REQUESTS: tuple[Request, ...] = (
    *_alone(
        "one",
        Row("nginx", "whole", "whole"),
        Row("docker.io/acme/shop", "whole", "whole"),
        Row("index.docker.io/acme/shop", "whole", "whole"),
        Row("registry.hub.docker.com/acme/shop", "whole", "whole"),
        Row("registry-1.docker.io/acme/shop", "whole", "whole"),
        Row("ghcr.io/acme/shop", "whole", "whole"),
        Row("ghcr.io:443/acme/shop", "whole", "whole"),
        Row("GHCR.io/acme/shop", "whole", "whole"),
        Row("reg.example.com:5000/acme/shop", "whole", "whole"),
    ),
    *_alone(
        "one with prefixes",
        Row("acme/shop", "acme", "acme"),
        Row("ghcr.io:443/acme/shop", "acme", "acme"),
    ),
    Request(
        "one without and one with prefixes",
        (Row("acme/shop", "acme", REFUSED), Row("nginx", "whole", "whole")),
    ),
    Request(
        "one without and one with prefixes",
        (
            Row("registry.hub.docker.com/acme/shop", "acme", REFUSED),
            Row("registry.hub.docker.com/other/web", "whole", "whole"),
        ),
    ),
    Request(
        "one without and one with prefixes",
        (
            Row("registry-1.docker.io/acme/shop", "acme", REFUSED),
            Row("index.docker.io/other/web", "whole", "whole"),
        ),
    ),
    Request(
        "one without and one with prefixes",
        (Row("ghcr.io/acme/shop", "acme", REFUSED), Row("ghcr.io/other/web", "whole", "whole")),
    ),
    Request(
        "one without and one with prefixes",
        (Row("ghcr.io:443/acme/shop", "acme", REFUSED), Row("ghcr.io:443/other/web", "whole", "whole")),
    ),
    Request(  # the first name is a prefix of the second one's text
        "one without and one with prefixes",
        (
            Row("reg.example.com:5000/acme", "acme", REFUSED),
            Row("reg.example.com:5000/acme2/app", "whole", "whole"),
        ),
    ),
    Request(
        "two with prefixes",
        (Row("docker.io/acme/shop", "acme", REFUSED), Row("docker.io/other/web", "other", REFUSED)),
    ),
    Request(
        "two with prefixes",
        (Row("ghcr.io/acme/shop", "acme", REFUSED), Row("ghcr.io:443/other/web", "other", REFUSED)),
    ),
)

# What the clients were, when the table was checked: exact versions where they are pinned.
VERSIONS: dict[str, str] = {
    "Docker": "28.2.2",
    "docker-py": "7.2.0",
    "oras": "oras-go 2.7.0",
    "Helm": "3.22.0",
    "Podman": "4.3.1",
    "Skopeo": "1.9.3",
    "kubelet": "the keyring of Kubernetes 1.35.4",
    "Kubernetes controllers": "go-containerregistry's authn/kubernetes 85f2bf5f7303",
    "crane": "go-containerregistry 0.22.1",
}


def markdown() -> str:
    """Return the tables of `docs/integrations.md`."""
    return "\n".join([*_lookups(), "", *_versions()])


def _lookups() -> Iterator[str]:
    yield "| credentials of the host | images of one request | Docker, docker-py, oras, Helm | other clients |"
    yield "|---|---|---|---|"
    for credentials, requests in groupby(REQUESTS, key=lambda request: request.credentials):
        first = credentials
        for request in requests:
            cells = (
                ", ".join(f"`{row.image}`" for row in request.rows),
                _logins([row.docker for row in request.rows]),
                _logins([row.login for row in request.rows]),
            )
            yield f"| {first} | {' | '.join(cells)} |"
            first = ""


def _logins(found: list[str]) -> str:
    return ", ".join(login if login == REFUSED else f"`{login}`" for login in found)


def _versions() -> Iterator[str]:
    yield "| client | version |"
    yield "|---|---|"
    for client, version in VERSIONS.items():
        yield f"| {client} | {version} |"
