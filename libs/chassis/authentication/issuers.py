"""Service-to-service tokens: JWTs (RFC 7519) of issuers that the operator trusts (`REGCRED_TOKEN_ISSUERS`).

    iss                 the issuer, as it is listed
    aud                 `regcred`; tokens for other services are refused
    sub                 the id of the principal; `name` is optional, for display
    exp                 required, at most `REGCRED_TOKEN_MAX_DAYS` from now
    nbf, iat            checked if present
    scope               scopes, separated by spaces (RFC 8693 section 4.2)
    regcred_accounts    the accounts for which it is valid; required; exactly ["*"] is all accounts
    regcred_projects    the projects for which it is valid, if it is restricted to some

Keys are the JWKS of the issuer (RFC 7517), in a file or at an https URL. Only signatures with a private key
are accepted: with a shared secret (HS256), every service that can verify a token could also create one (RFC
8725 section 3.1).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import jwt
import structlog

from chassis.authentication.errors import IssuerUnavailable
from chassis.authentication.tokens import Principal, TokenScope
from chassis.ids import is_platform_id
from chassis.runtime.guarded_dependency import GuardedDependency, NotAdmitted
from chassis.settings.files import text_of
from chassis.settings.invalid_setting import InvalidSetting

log = structlog.get_logger()

SETTING = "REGCRED_TOKEN_ISSUERS"
AUDIENCE = "regcred"
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
LEEWAY_SECONDS = 30
FETCH_SECONDS = 5
READERS = 4  # threads that may read the keys of one issuer at the same time
READ_WAIT_SECONDS = 0.5  # the others wait for their result for this time
KEY_CACHE_SECONDS = 300.0  # then the file or URL is read again; for an unknown key id, at once
MAX_TOKEN = 8 * 1024
MAX_SUBJECT = 200
EVERY_ACCOUNT = "*"
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}

Monotonic = Callable[[], float]


class KeySource(Protocol):
    """The source of the keys of an issuer."""

    def read(self) -> jwt.PyJWKSet:
        """Read the current keys. Raises `IssuerUnavailable`."""


@dataclass(frozen=True, slots=True)
class FileKeys:
    """A JWKS in a file."""

    path: Path

    def read(self) -> jwt.PyJWKSet:
        try:
            return jwt.PyJWKSet.from_json(self.path.read_text())
        except (OSError, ValueError, jwt.PyJWTError) as error:
            log.warning("issuer_keys_unreadable", file=self.path.name, error=type(error).__name__)
            raise IssuerUnavailable from None

    def check(self) -> None:
        """Read the file at the start of the process. Raises `InvalidSetting`."""
        try:
            jwt.PyJWKSet.from_json(text_of(SETTING, self.path))
        except (ValueError, jwt.PyJWTError):
            raise InvalidSetting(SETTING, f"{self.path} is not a JWKS with a usable key") from None


@dataclass(frozen=True, slots=True)
class UrlKeys:
    """A JWKS at a URL."""

    url: str

    def read(self) -> jwt.PyJWKSet:
        try:
            return jwt.PyJWKClient(self.url, cache_jwk_set=False, timeout=FETCH_SECONDS).get_jwk_set()
        except (OSError, ValueError, jwt.PyJWTError) as error:
            log.warning("issuer_keys_unreadable", url=self.url, error=type(error).__name__)
            raise IssuerUnavailable from None


def trusted_issuers(setting: str) -> dict[str, KeySource]:
    """Parse entries `issuer=JWKS file or URL`, comma-separated. The keys of the result are the issuers.

    Raises:
        InvalidSetting: an entry has another form, or its URL is neither https nor on this machine.
    """
    found: dict[str, KeySource] = {}
    for entry in filter(None, (part.strip() for part in setting.split(","))):
        issuer, equals, location = entry.partition("=")
        if not equals or not issuer or not location:
            raise InvalidSetting(SETTING, f"{entry!r} is not issuer=JWKS file or URL")
        found[issuer] = _url_keys(location) if "://" in location else FileKeys(Path(location))
    return found


def _url_keys(location: str) -> UrlKeys:
    try:
        parts = urlsplit(location)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host = parts = None
    if parts is None or not host:
        raise InvalidSetting(SETTING, f"{location!r} is not a URL")
    if parts.scheme != "https" and not (parts.scheme == "http" and host in _LOOPBACK):
        raise InvalidSetting(SETTING, f"{location!r} must be https: a changed key would authenticate anyone")
    return UrlKeys(location)


class IssuedTokens:
    """Authenticates tokens of these issuers, and caches their keys for `KEY_CACHE_SECONDS`.

    A token that is valid for longer than `longest_life` from now is refused; `None` refuses none.
    """

    def __init__(
        self,
        issuers: Mapping[str, KeySource],
        *,
        monotonic: Monotonic,
        now: Callable[[], datetime],
        longest_life: timedelta | None = None,
    ) -> None:
        self._issuers = issuers
        self._now = now
        self._longest_life = longest_life
        self._monotonic = monotonic
        self._keys: dict[str, tuple[float, jwt.PyJWKSet]] = {}
        self._guards = {
            issuer: GuardedDependency(
                slots=READERS, slot_seconds=READ_WAIT_SECONDS, failures=1, monotonic=monotonic
            )
            for issuer in issuers
        }

    def authenticate(self, text: str) -> Principal | None:
        """The principal of a token. `None` if the token is invalid.

        Raises:
            IssuerUnavailable: the keys of the trusted issuer cannot be read.
        """
        if len(text) > MAX_TOKEN or text.count(".") != 2:  # noqa: PLR2004 header, claims, signature
            return None
        try:
            header = jwt.get_unverified_header(text)
            claimed = jwt.decode(text, options={"verify_signature": False}).get("iss")
            source = self._issuers.get(claimed) if isinstance(claimed, str) else None
            if source is None or not isinstance(claimed, str):
                return None
            key = self._key(claimed, source, header.get("kid"))
            if key is None or header.get("alg") not in ALGORITHMS:
                return None
            claims = jwt.decode(
                text,
                key,
                algorithms=ALGORITHMS,
                audience=AUDIENCE,
                issuer=claimed,
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
            return None
        found = principal_of(claims)
        if found is None or self._lives_too_long(found):
            return None
        return found

    def _lives_too_long(self, found: Principal) -> bool:
        if self._longest_life is None:
            return False
        return found.expires_at is None or found.expires_at - self._now() > self._longest_life

    def _key(self, issuer: str, source: KeySource, key_id: object) -> jwt.PyJWK | None:
        """The key with this id. Without an id, the only key of the issuer."""
        known = self._keys.get(issuer)
        if known is not None and self._monotonic() - known[0] < KEY_CACHE_SECONDS:
            found = _of_id(known[1], key_id)
            if found is not None or self._monotonic() - known[0] < FETCH_SECONDS:
                return found  # read a moment ago: invented key ids must not cause more requests
        try:
            with self._guards[issuer].call():
                if known is not self._keys.get(issuer):  # another thread has read them in the meantime
                    return _of_id(self._keys[issuer][1], key_id)
                keys = source.read()
        except NotAdmitted:
            raise IssuerUnavailable from None
        self._keys[issuer] = (self._monotonic(), keys)
        return _of_id(keys, key_id)


def principal_of(claims: Mapping[str, Any]) -> Principal | None:
    """The principal that verified claims describe. `None` if they are incomplete or invalid."""
    subject, issuer = claims.get("sub"), claims.get("iss")
    if not isinstance(subject, str) or not subject.isprintable() or not 0 < len(subject) <= MAX_SUBJECT:
        return None
    name = claims.get("name")
    every_account = claims.get("regcred_accounts") == [EVERY_ACCOUNT]
    accounts = None if every_account else _ids(claims.get("regcred_accounts"))
    projects = _ids(claims["regcred_projects"]) if "regcred_projects" in claims else None
    if (accounts is None and not every_account) or (projects is None and "regcred_projects" in claims):
        return None
    expires_at = _moment(claims.get("exp"))
    if expires_at is None:
        return None
    known = {scope.value for scope in TokenScope}
    granted = str(claims.get("scope") or "").split()
    return Principal(
        id=f"{issuer}#{subject}",
        name=name if isinstance(name, str) and name.isprintable() and name else subject,
        scopes=frozenset(TokenScope(scope) for scope in granted if scope in known),
        accounts=accounts,
        projects=projects,
        expires_at=expires_at,
    )


def _of_id(keys: jwt.PyJWKSet, key_id: object) -> jwt.PyJWK | None:
    usable = [key for key in keys.keys if key.public_key_use in (None, "sig") and key.key_type != "oct"]
    if key_id is None:
        return usable[0] if len(usable) == 1 else None
    return next((key for key in usable if key.key_id == key_id), None)


def _ids(value: object) -> frozenset[str] | None:
    """The ids of accounts or projects in a claim. `None` if it is no list of such ids."""
    if not isinstance(value, list):
        return None
    if not all(isinstance(item, str) and is_platform_id(item) for item in value):
        return None
    return frozenset(value)


def _moment(exp: object) -> datetime | None:
    """The time of `exp`. `None` if it is none that a `datetime` can have."""
    try:
        return datetime.fromtimestamp(float(exp), UTC) if isinstance(exp, int | float) else None
    except (ValueError, OverflowError, OSError):
        return None
