"""What Docker's credential helpers say (docker/docker-credential-helpers, `credentials/`). Pure.

A helper is started with one word, `get`, `store`, `erase`, `list` or `version`, and reads standard input to
its end. It answers on standard output and exits with 0; or it says there what went wrong and exits with 1.
`NOT_FOUND` is the one failure that clients do not take for one: they go on without a login.
"""

from collections.abc import Iterable
from typing import Any

Json = dict[str, Any]

NOT_FOUND = "credentials not found in native keychain"
NO_SERVER = "no credentials server URL"
USAGE = "usage: docker-credential-regcred <get|store|erase|list|version>"
READ_ONLY = (
    "regcred keeps credentials for whole accounts, and nothing was changed: "
    "they are saved and removed with `regcred credentials add` and `regcred credentials remove`"
)
_DOCKER_HUB, _DOCKER_HUB_KEY = "docker.io", "https://index.docker.io/v1/"
_IDENTITY_TOKEN = "<token>"  # noqa: S105 the username by which clients know that the secret is one


def login(server: str, docker_config: Json) -> Json | None:
    """The answer to `get`, from what was given out for that server; `None` where nothing was.

    Raises:
        KeyError, ValueError: it is no Docker configuration for one server.
    """
    auths = docker_config["auths"]
    if not auths:
        return None
    [entry] = auths.values()
    if "identitytoken" in entry:
        return {"ServerURL": server, "Username": _IDENTITY_TOKEN, "Secret": entry["identitytoken"]}
    return {"ServerURL": server, "Username": entry["username"], "Secret": entry["password"]}


def listed(credentials: Iterable[Json]) -> dict[str, str]:
    """The answer to `list`: servers as clients spell them, with a username. It is `get` that chooses."""
    return {
        config_key(credential["registry_host"]): credential["username"]
        for credential in credentials
        if credential["scope"]["pull"]
    }


def config_key(registry_host: str) -> str:
    """How clients spell a host that the API spelled: Docker Hub is the one that they call otherwise."""
    return _DOCKER_HUB_KEY if registry_host == _DOCKER_HUB else registry_host
