"""The protocol of Docker's credential helpers (docker/docker-credential-helpers, `credentials/`). Pure.

A client starts a helper with one argument: `get`, `store`, `erase`, `list` or `version`. The helper reads
standard input to its end. It writes its result to standard output and exits with 0, or writes an error there
and exits with 1. Clients do not treat the error `NOT_FOUND` as a failure: they continue without a login.
"""

from collections.abc import Iterable
from typing import Any

from regcred.plugins.image import of_image

Json = dict[str, Any]

NOT_FOUND = "credentials not found in native keychain"
NO_SERVER = "no credentials server URL"
USAGE = "usage: docker-credential-regcred <get|store|erase|list|version>"
READ_ONLY = (
    "nothing was changed: this helper is read-only; "
    "use `regcred credentials add` and `regcred credentials remove`"
)
NOT_ERASED = "regcred: nothing was removed; use `regcred credentials remove`"
_MAX_SERVER = 1024  # characters; longer than any valid name
_API_VERSIONS = ("v1", "v2")
_DOCKER_TOKENS = ("v1/access-token", "v1/refresh-token")  # of Docker's login in a browser
_DOCKER_HUB, _DOCKER_HUB_KEY = "docker.io", "https://index.docker.io/v1/"
_IDENTITY_TOKEN = "<token>"  # noqa: S105 the username that marks a secret as an identity token


def login(server: str, docker_config: Json) -> Json | None:
    """Return the result of `get` from the issued configuration, or `None` if it has no login.

    Raises:
        KeyError, ValueError: `docker_config` is not a Docker configuration for one server.
    """
    auths = docker_config["auths"]
    if not auths:
        return None
    entry = next(iter(auths.values()))  # all keys, of several spellings of the host, have the same login
    if "identitytoken" in entry:
        return {"ServerURL": server, "Username": _IDENTITY_TOKEN, "Secret": entry["identitytoken"]}
    return {"ServerURL": server, "Username": entry["username"], "Secret": entry["password"]}


def wanted(server: str) -> Json | None:
    """Return what a pull secret for a server is requested for, or `None` if regcred has no login for it.

    A server is a host, or the repository of an image (`ghcr.io/acme/shop`). go-containerregistry and the
    tools that use it ask for the repository first and then for the host. A name without a dot or port before
    the first slash is not a host: as an image it would be one of Docker Hub.
    """
    scheme, separator, rest = server.rpartition("://")
    host, _, path = rest.partition("/")
    path = path.strip("/")
    known = scheme.lower() in {"http", "https"} if separator else True
    if not known or "@" in rest or len(server) > _MAX_SERVER or path in _DOCKER_TOKENS:
        return None
    if path in {"", *_API_VERSIONS}:
        return {"registry_host": server}
    if host.lower() != "localhost" and "." not in host and ":" not in host:
        return None
    if separator:
        for version in _API_VERSIONS:
            path = path.removeprefix(f"{version}/")
    if scheme.lower() == "http" and ":" not in host.rpartition("]")[2]:
        host = f"{host}:80"
    return of_image(f"{host}/{path}")


def listed(registries: Iterable[Json]) -> dict[str, str]:
    """Return the result of `list`: the servers in the form of the clients, each with a username."""
    return {config_key(registry["registry_host"]): registry["username"] for registry in registries}


def config_key(registry_host: str) -> str:
    """The key of a registry in a Docker configuration. It differs from the host only for Docker Hub."""
    return _DOCKER_HUB_KEY if registry_host == _DOCKER_HUB else registry_host
