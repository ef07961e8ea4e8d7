"""Inspect a Vault without changing it: health, login, capabilities of a service, settings of the mount.

`regcred doctor` uses it. The services use `vault` and never request these.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import requests

from chassis.settings.environment import VaultAccess

MOUNT = "regcred"
_SECONDS = (2.0, 5.0)  # to connect, to receive the response
_EXAMPLE = "accounts/doctor/credentials/00000000-0000-0000-0000-000000000000"  # no secret is stored there
_SERVING = {200: "active", 429: "standby", 473: "performance standby"}

Health = Literal["serves", "sealed", "uninitialised", "unreachable", "untrusted", "other"]


@dataclass(frozen=True, slots=True)
class Login:
    """The token of a login. If the login was refused, `token` is empty and `refused` is the reason."""

    token: str
    refused: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A mount. `exists` if it is a KV of version 2.

    `capabilities` are those on a secret, on its metadata, and on its destruction.
    """

    exists: bool
    capabilities: dict[str, frozenset[str]]


class VaultInspector:
    """Requests to one Vault. Proxy, certificate authorities and token of the environment are not used."""

    def __init__(self, access: VaultAccess) -> None:
        self._access = access
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = str(access.ca_file) if access.ca_file else True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def health(self) -> tuple[Health, str]:
        """Return the health, and a detail of it."""
        try:
            response = self._ask("GET", "sys/health")
        except requests.exceptions.SSLError:
            return "untrusted", "its certificate is not trusted"
        except (requests.RequestException, OSError) as error:
            return "unreachable", type(error).__name__
        if response.status_code in _SERVING:
            return "serves", _SERVING[response.status_code]
        states: dict[int, Health] = {503: "sealed", 501: "uninitialised"}
        return states.get(response.status_code, "other"), f"status {response.status_code}"

    def log_in(self) -> Login:
        """Log in as a service does: with the AppRole, or the token of a file."""
        path = self._access.token_file or self._access.secret_id_file
        if path is None:
            return Login("", "neither an AppRole nor a token is configured")
        text, error = _read(path)
        if error:
            return Login("", error)
        if self._access.token_file is not None:
            if self._ask("GET", "auth/token/lookup-self", token=text).ok:
                return Login(text, None)
            return Login("", f"the token in {path} is not valid")
        body = {"role_id": self._access.role_id, "secret_id": text}
        response = self._ask("POST", "auth/approle/login", body=body)
        token = _field(response, "auth", "client_token")
        if not isinstance(token, str):
            return Login("", "the role id or the secret id is not valid")
        return Login(token, None)

    def mount(self, token: str) -> Mount:
        """Return whether the mount exists, and the capabilities of the token on it."""
        paths = {name: f"{MOUNT}/{name}/{_EXAMPLE}" for name in ("data", "metadata", "destroy")}
        response = self._ask("POST", "sys/capabilities-self", token=token, body={"paths": [*paths.values()]})
        capabilities = {name: frozenset(_list(response, path)) for name, path in paths.items()}
        about = self._ask("GET", f"sys/internal/ui/mounts/{MOUNT}", token=token)
        version = _field(about, "data", "options", "version")
        return Mount(exists=version == "2", capabilities=capabilities)

    def installation(self, token: str) -> tuple[bool, str | None]:
        """Return whether the token may read the id of the installation, and the id, if there is one."""
        response = self._ask("GET", f"{MOUNT}/data/installation", token=token)
        found = _field(response, "data", "data", "id")
        return response.status_code != requests.codes.forbidden, found if isinstance(found, str) else None

    def cas_required(self, administrator: Path) -> bool | None:
        """Return whether the mount requires check-and-set, `None` if the token cannot read it."""
        token, error = _read(administrator)
        if error:
            return None
        required = _field(self._ask("GET", f"{MOUNT}/config", token=token), "data", "cas_required")
        return required if isinstance(required, bool) else None

    def _ask(self, method: str, path: str, *, token: str = "", body: object = None) -> requests.Response:
        headers = {"X-Vault-Token": token} if token else {}
        url = f"{self._access.address.rstrip('/')}/v1/{path}"
        return self._session.request(
            method, url, headers=headers, json=body, timeout=_SECONDS, allow_redirects=False
        )


def _read(path: Path) -> tuple[str, str | None]:
    try:
        return path.read_text().strip(), None
    except OSError as error:
        return "", f"cannot read {path}: {error.strerror}"


def _field(response: requests.Response, *names: str) -> object:
    try:
        found: Any = response.json()
    except ValueError:
        return None
    for name in names:
        if not isinstance(found, dict):
            return None
        found = found.get(name)
    result: object = found
    return result


def _list(response: requests.Response, path: str) -> list[str]:
    found = _field(response, path) or _field(response, "data", path)
    return [str(each) for each in found] if isinstance(found, list) else []
