"""A look at a Vault that changes nothing there: does it serve, does it let us in, is the mount as it must be.

Beside `vault.py`, for what a service never asks: its own capabilities, and how its mount is set up.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import requests

from chassis.settings.environment import VaultAccess

MOUNT = "regcred"
_SECONDS = (2.0, 5.0)  # to connect, to be answered
_EXAMPLE = "accounts/doctor/credentials/00000000-0000-0000-0000-000000000000"  # nothing is ever kept there
_SERVING = {200: "active", 429: "standby", 473: "performance standby"}

Health = Literal["serves", "sealed", "uninitialised", "unreachable", "untrusted", "other"]


@dataclass(frozen=True, slots=True)
class Login:
    """`token` is empty where `refused` says why there is none."""

    token: str
    refused: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """`exists` where it is a KV of version 2; `capabilities` on a secret, its metadata, its destruction."""

    exists: bool
    capabilities: dict[str, frozenset[str]]


class VaultLook:
    """Requests to one Vault. No proxy, no authorities and no token of the environment."""

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
        """How it is, and a word on that."""
        try:
            answer = self._ask("GET", "sys/health")
        except requests.exceptions.SSLError:
            return "untrusted", "its certificate is not trusted"
        except (requests.RequestException, OSError) as error:
            return "unreachable", type(error).__name__
        if answer.status_code in _SERVING:
            return "serves", _SERVING[answer.status_code]
        states: dict[int, Health] = {503: "sealed", 501: "uninitialised"}
        return states.get(answer.status_code, "other"), f"status {answer.status_code}"

    def log_in(self) -> Login:
        """As a service does: with the AppRole, or the token of a file."""
        path = self._access.token_file or self._access.secret_id_file
        if path is None:
            return Login("", "neither an AppRole nor a token is configured")
        text, wrong = _read(path)
        if wrong:
            return Login("", wrong)
        if self._access.token_file is not None:
            if self._ask("GET", "auth/token/lookup-self", token=text).ok:
                return Login(text, None)
            return Login("", f"the token in {path} is not valid")
        body = {"role_id": self._access.role_id, "secret_id": text}
        answer = self._ask("POST", "auth/approle/login", body=body)
        token = _field(answer, "auth", "client_token")
        if not isinstance(token, str):
            return Login("", "role id or secret id are not valid")
        return Login(token, None)

    def mount(self, token: str) -> Mount:
        """What there is, and what the token may do with it."""
        paths = {name: f"{MOUNT}/{name}/{_EXAMPLE}" for name in ("data", "metadata", "destroy")}
        answer = self._ask("POST", "sys/capabilities-self", token=token, body={"paths": [*paths.values()]})
        held = {name: frozenset(_list(answer, path)) for name, path in paths.items()}
        about = self._ask("GET", f"sys/internal/ui/mounts/{MOUNT}", token=token)
        version = _field(about, "data", "options", "version")
        return Mount(exists=version == "2", capabilities=held)

    def cas_required(self, administrator: Path) -> bool | None:
        """Whether the mount demands check-and-set; `None` where the token in this file does not show it."""
        token, wrong = _read(administrator)
        if wrong:
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


def _field(answer: requests.Response, *names: str) -> object:
    try:
        found: Any = answer.json()
    except ValueError:
        return None
    for name in names:
        if not isinstance(found, dict):
            return None
        found = found.get(name)
    result: object = found
    return result


def _list(answer: requests.Response, path: str) -> list[str]:
    found = _field(answer, path) or _field(answer, "data", path)
    return [str(each) for each in found] if isinstance(found, list) else []
