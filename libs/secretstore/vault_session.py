"""A session with Vault: connections, the token of this service, and errors as those of the port.

Errors of Vault and of the network become errors of the port here. Their messages do not repeat the request:
those of hvac contain paths, and for a destroyed version the complete response (`docs/reference/vault.md`,
"Errors").
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import inf
from pathlib import Path
from threading import Lock
from time import monotonic
from typing import Any, TypeVar

import hvac
import requests
import structlog
from hvac import exceptions as vault
from requests.adapters import HTTPAdapter

from secretstore.store import (
    SecretDestroyed,
    SecretMissing,
    SecretStoreUnavailable,
    SecretVersionConflict,
)

log = structlog.get_logger()

CONNECT_SECONDS = 1.0
READ_SECONDS = 3.0
CONNECTIONS = 32
RENEW_AFTER = 2 / 3  # of a token's lifetime; then the next request logs in again
LOGIN_PAUSE_SECONDS = 1.0  # after a failed login; requests in this time fail as well
POSTPONED_SECONDS = 10.0  # after a failed login while the current token is still valid
TOKEN_FILE_SECONDS = 60.0  # then the file is read again: it may have been replaced
RETRY_AFTER = 5  # seconds, if Vault does not return a value
REFUSED_RETRY_AFTER = 60  # seconds: an operator has to change the configuration first
_CONFLICT = "did not match the current version"
_T = TypeVar("_T")


class VaultRefused(SecretStoreUnavailable):
    """Vault refuses a request of this service because of its role, policy or mount.

    Callers see it as an unavailable store. The log has the reason for the operator.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"Vault refuses this service: {what}", retry_after=REFUSED_RETRY_AFTER)
        self.what = what


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSettings:
    """The address of Vault, and the login of this service.

    The login is an AppRole, whose secret id is read from its file at each login, or a token from a file.
    """

    addr: str
    mount: str = "regcred"
    role_id: str | None = None
    secret_id_file: Path | None = None
    token_file: Path | None = None
    ca_file: Path | None = None


class VaultSession:
    """Sends requests to Vault with a valid token, and replaces it before it expires. Threads may share it."""

    def __init__(self, settings: VaultSettings) -> None:
        self._settings = settings
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, no CA, no netrc from the environment
        # hvac uses the setting of the session
        self._session.verify = str(settings.ca_file) if settings.ca_file else True
        self._session.mount("https://", HTTPAdapter(pool_maxsize=CONNECTIONS, pool_block=True))
        self._session.mount("http://", HTTPAdapter(pool_maxsize=CONNECTIONS, pool_block=True))
        self._lock = Lock()
        self._token = ""
        self._login_due = 0.0
        self._token_expires = 0.0
        self._no_login_before = 0.0
        self.failing = False  # whether Vault did not execute the last request, for whatever reason

    def ask(self, request: Callable[[hvac.Client], _T]) -> _T:
        """Send a request and return its response. Raises the errors of the port."""
        try:
            response = self._send(request)
        except SecretStoreUnavailable as error:
            self.failing = True
            if isinstance(error, VaultRefused):
                log.error("vault_refused", what=error.what)  # noqa: TRY400 a stack trace adds nothing
            raise
        self.failing = False
        return response

    def _send(self, request: Callable[[hvac.Client], _T]) -> _T:
        """Send a request. If Vault no longer accepts the token, log in again, once."""
        client = self._client()
        try:
            return translated(lambda: request(client))
        except VaultRefused:
            if translated(lambda: _is_valid(client)):
                raise
        log.info("vault_token_ended")
        with self._lock:
            if self._token == client.token:
                self._login_due = self._token_expires = 0.0
        return translated(lambda: request(self._client()))

    def _client(self) -> hvac.Client:
        with self._lock:
            if monotonic() >= self._login_due:
                self._renew()
            return self._new_client(self._token)

    def _renew(self) -> None:
        if monotonic() < self._no_login_before:
            raise SecretStoreUnavailable("a login failed less than a second ago", retry_after=RETRY_AFTER)
        try:
            self._log_in()
        except SecretStoreUnavailable as error:
            moment = monotonic()
            if moment >= self._token_expires:
                self._no_login_before = moment + LOGIN_PAUSE_SECONDS
                raise
            log.warning("vault_login_put_off", error=type(error).__name__)
            self._login_due = min(moment + POSTPONED_SECONDS, self._token_expires)

    def _log_in(self) -> None:
        token_file = self._settings.token_file
        if token_file is not None:
            self._token = _read_file(token_file)
            self._login_due, self._token_expires = monotonic() + TOKEN_FILE_SECONDS, inf
            return
        secret_id_file = self._settings.secret_id_file
        if secret_id_file is None or self._settings.role_id is None:
            raise VaultRefused("neither an AppRole nor a token is configured")
        secret_id = _read_file(secret_id_file)
        client, sent = self._new_client(""), monotonic()
        response = translated(
            lambda: client.auth.approle.login(self._settings.role_id, secret_id, use_token=False)
        )
        token, seconds = (field(response, "auth", name) for name in ("client_token", "lease_duration"))
        lifetime = float(seconds) or inf
        self._token = str(token)
        self._login_due, self._token_expires = sent + RENEW_AFTER * lifetime, sent + lifetime

    def _new_client(self, token: str) -> hvac.Client:
        client = hvac.Client(
            url=self._settings.addr,
            token=token,
            session=self._session,
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            cert=(),  # without it, hvac reads one from the environment
            allow_redirects=False,
        )
        client.token = token  # in place of an empty token, hvac reads one from the environment
        return client

    def check(self) -> None:
        try:
            response = self._session.get(
                f"{self._settings.addr}/v1/sys/health?standbyok=true&perfstandbyok=true",
                timeout=(CONNECT_SECONDS, CONNECT_SECONDS),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise SecretStoreUnavailable(type(error).__name__, retry_after=RETRY_AFTER) from None
        if response.status_code != requests.codes.ok:
            raise SecretStoreUnavailable(f"health {response.status_code}", retry_after=RETRY_AFTER)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def translated(request: Callable[[], _T]) -> _T:
    """Send a request and return its response. Failures are raised as errors of the port."""
    try:
        return request()
    except requests.RequestException as error:
        raise SecretStoreUnavailable(type(error).__name__, retry_after=RETRY_AFTER) from None
    except vault.InvalidPath as error:
        if _destroyed(error):
            raise SecretDestroyed from None
        raise SecretMissing from None
    except vault.InvalidRequest as error:
        if _CONFLICT in str(error):
            raise SecretVersionConflict from None
        raise VaultRefused("the request, or the role id and secret id, are not valid") from None
    except (vault.Forbidden, vault.Unauthorized):
        raise VaultRefused("the token or its policy does not allow this") from None
    except vault.VaultError as error:
        raise SecretStoreUnavailable(type(error).__name__, retry_after=RETRY_AFTER) from None


def field(response: Any, *names: str) -> Any:
    """Return the value under these names.

    Raises:
        SecretStoreUnavailable: the response has no such value, as a redirect or the page of a proxy.
    """
    for name in names:
        if not isinstance(response, dict) or name not in response:
            raise SecretStoreUnavailable("the response is not from Vault", retry_after=RETRY_AFTER)
        response = response[name]
    return response


def _destroyed(error: vault.InvalidPath) -> bool:
    try:
        metadata = error.json["data"]["metadata"]
    except (AttributeError, KeyError, TypeError):
        return False
    return bool(metadata.get("destroyed") or metadata.get("deletion_time"))


def _is_valid(client: hvac.Client) -> bool:
    try:
        client.auth.token.lookup_self()
    except vault.Forbidden:
        return False
    return True


def _read_file(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        raise VaultRefused(f"cannot read {path.name}: {error.strerror}") from None
