"""A session with Vault: its connections, the token of this service, and the errors of the port.

What Vault or the network say is turned into the errors of the port here, without a trace of the request.
The messages of hvac hold paths, and that of a destroyed version its whole answer
(`docs/reference/vault.md`, "Errors").
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
RENEW_AFTER = 2 / 3  # of a token's life: then the next request logs in anew
LOGIN_PAUSE_SECONDS = 1.0  # after a login that failed; those who wait for it meanwhile fail with it
PUT_OFF_SECONDS = 10.0  # after a login that failed while the token at hand is still good
TOKEN_FILE_SECONDS = 60.0  # then it is read again: it may have been replaced
RETRY_AFTER = 5  # seconds, where Vault does not say
REFUSED_RETRY_AFTER = 60  # seconds: somebody has to change something first
_CONFLICT = "did not match the current version"
_T = TypeVar("_T")


class VaultRefused(SecretStoreUnavailable):
    """Vault answers, and says no to what this service is configured to be: role, policy, or mount.

    For a caller it is as good as away; the operator finds it in the log.
    """

    def __init__(self, what: str) -> None:
        super().__init__(f"Vault refuses this service: {what}", retry_after=REFUSED_RETRY_AFTER)
        self.what = what


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultSettings:
    """Where Vault is, and who this service is: an AppRole whose secret id is read from its file at every
    login, or a token from a file.
    """

    addr: str
    mount: str = "regcred"
    role_id: str | None = None
    secret_id_file: Path | None = None
    token_file: Path | None = None
    ca_file: Path | None = None


class VaultSession:
    """Asks Vault with a token that is good, and renews it in time. Threads may share it."""

    def __init__(self, settings: VaultSettings) -> None:
        self._settings = settings
        self._session = requests.Session()
        self._session.trust_env = False  # no proxy, no CA, no netrc from the environment
        self._session.verify = str(settings.ca_file) if settings.ca_file else True  # hvac asks the session
        self._session.mount("https://", HTTPAdapter(pool_maxsize=CONNECTIONS, pool_block=True))
        self._session.mount("http://", HTTPAdapter(pool_maxsize=CONNECTIONS, pool_block=True))
        self._lock = Lock()
        self._token = ""
        self._login_due = 0.0
        self._token_ends = 0.0
        self._login_barred = 0.0  # until then

    def ask(self, question: Callable[[hvac.Client], _T]) -> _T:
        try:
            return self._answer(question)
        except VaultRefused as refused:
            log.error("vault_refused", what=refused.what)  # noqa: TRY400 a stack would say nothing more
            raise

    def _answer(self, question: Callable[[hvac.Client], _T]) -> _T:
        """Ask with a token that is good; one that Vault no longer knows is replaced, once."""
        client = self._client()
        try:
            return translated(lambda: question(client))
        except VaultRefused:
            if translated(lambda: _is_alive(client)):
                raise
        log.info("vault_token_ended")
        with self._lock:
            if self._token == client.token:
                self._login_due = self._token_ends = 0.0
        return translated(lambda: question(self._client()))

    def _client(self) -> hvac.Client:
        with self._lock:
            if monotonic() >= self._login_due:
                self._renew()
            return self._new_client(self._token)

    def _renew(self) -> None:
        if monotonic() < self._login_barred:
            raise SecretStoreUnavailable("the login failed just now", retry_after=RETRY_AFTER)
        try:
            self._log_in()
        except SecretStoreUnavailable as error:
            moment = monotonic()
            if moment >= self._token_ends:
                self._login_barred = moment + LOGIN_PAUSE_SECONDS
                raise
            log.warning("vault_login_put_off", error=type(error).__name__)
            self._login_due = min(moment + PUT_OFF_SECONDS, self._token_ends)

    def _log_in(self) -> None:
        token_file = self._settings.token_file
        if token_file is not None:
            self._token = _read_file(token_file)
            self._login_due, self._token_ends = monotonic() + TOKEN_FILE_SECONDS, inf
            return
        secret_id_file = self._settings.secret_id_file
        if secret_id_file is None or self._settings.role_id is None:
            raise VaultRefused("neither an AppRole nor a token is configured")
        secret_id = _read_file(secret_id_file)
        client, asked = self._new_client(""), monotonic()
        answer = translated(
            lambda: client.auth.approle.login(self._settings.role_id, secret_id, use_token=False)
        )
        token, seconds = (field(answer, "auth", name) for name in ("client_token", "lease_duration"))
        life = float(seconds) or inf
        self._token = str(token)
        self._login_due, self._token_ends = asked + RENEW_AFTER * life, asked + life

    def _new_client(self, token: str) -> hvac.Client:
        client = hvac.Client(
            url=self._settings.addr,
            token=token,
            session=self._session,
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            cert=(),  # hvac would take one from the environment in place of none
            allow_redirects=False,
        )
        client.token = token  # hvac would take one from the environment in place of an empty one
        return client

    def check(self) -> None:
        try:
            answer = self._session.get(
                f"{self._settings.addr}/v1/sys/health?standbyok=true&perfstandbyok=true",
                timeout=(CONNECT_SECONDS, CONNECT_SECONDS),
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise SecretStoreUnavailable(type(error).__name__, retry_after=RETRY_AFTER) from None
        if answer.status_code != requests.codes.ok:
            raise SecretStoreUnavailable(f"health {answer.status_code}", retry_after=RETRY_AFTER)

    def close(self) -> None:
        """Close the connections."""
        self._session.close()


def translated(question: Callable[[], _T]) -> _T:
    """The answer; a failure is raised as an error of the port."""
    try:
        return question()
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


def field(answer: Any, *names: str) -> Any:
    """What an answer holds under these names; a redirect or a proxy's page holds nothing."""
    for name in names:
        if not isinstance(answer, dict) or name not in answer:
            raise SecretStoreUnavailable("this is not an answer of Vault's", retry_after=RETRY_AFTER)
        answer = answer[name]
    return answer


def _destroyed(error: vault.InvalidPath) -> bool:
    try:
        metadata = error.json["data"]["metadata"]
    except (AttributeError, KeyError, TypeError):
        return False
    return bool(metadata.get("destroyed") or metadata.get("deletion_time"))


def _is_alive(client: hvac.Client) -> bool:
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
