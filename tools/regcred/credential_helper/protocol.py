"""The protocol of Docker's credential helpers (docker/docker-credential-helpers, `credentials/`). Pure.

A client starts a helper with one argument: `get`, `store`, `erase`, `list` or `version`. The helper reads
standard input to its end. It writes its result to standard output and exits with 0, or writes an error there
and exits with 1. Clients do not treat the error `NOT_FOUND` as a failure: they continue without a login.
"""

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]

NOT_FOUND = "credentials not found in native keychain"
NO_SERVER = "no credentials server URL"
USAGE = "usage: docker-credential-regcred <get|store|erase|list|version>"
READ_ONLY = (
    "nothing was changed: this helper is read-only; "
    "use `regcred credentials add` and `regcred credentials remove`"
)
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
    [entry] = auths.values()
    if "identitytoken" in entry:
        return {"ServerURL": server, "Username": _IDENTITY_TOKEN, "Secret": entry["identitytoken"]}
    return {"ServerURL": server, "Username": entry["username"], "Secret": entry["password"]}


def listed(credentials: Iterable[Json]) -> dict[str, str]:
    """Return the result of `list`: the servers in the form of the clients, each with a username.

    Only `get` selects one of several credentials.
    """
    return {
        config_key(credential["registry_host"]): credential["username"]
        for credential in credentials
        if credential["scope"]["pull"]
    }


def config_key(registry_host: str) -> str:
    """The key of a registry in a Docker configuration. It differs from the host only for Docker Hub."""
    return _DOCKER_HUB_KEY if registry_host == _DOCKER_HUB else registry_host
