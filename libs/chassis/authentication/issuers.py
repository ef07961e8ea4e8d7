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
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jwt

from chassis.authentication.issuer_keys import IssuerKeys, Monotonic
from chassis.authentication.key_sources import SETTING, FileKeys, KeySource, UrlKeys
from chassis.authentication.tokens import Principal, TokenScope
from chassis.ids import is_platform_id
from chassis.settings.invalid_setting import InvalidSetting
from chassis.settings.urls import http_parts

AUDIENCE = "regcred"
ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
LEEWAY_SECONDS = 30
MAX_TOKEN = 8 * 1024
MAX_SUBJECT = 200
EVERY_ACCOUNT = "*"
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})


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
    parts = http_parts(SETTING, location)
    if parts.scheme != "https" and parts.hostname not in _LOOPBACK:
        raise InvalidSetting(SETTING, f"{location!r} must be https: a changed key would authenticate anyone")
    return UrlKeys(parts.geturl())


class IssuedTokens:
    """Authenticates tokens of these issuers.

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
        self._keys = {issuer: IssuerKeys(source, monotonic=monotonic) for issuer, source in issuers.items()}
        self._now = now
        self._longest_life = longest_life

    def authenticate(self, text: str) -> Principal | None:
        """The principal of a token. `None` if the token is invalid.

        Raises:
            IssuerUnavailable: the keys of the trusted issuer cannot be read now.
        """
        if len(text) > MAX_TOKEN or text.count(".") != 2:  # noqa: PLR2004 header, claims, signature
            return None
        try:
            header = jwt.get_unverified_header(text)
            claimed = jwt.decode(text, options={"verify_signature": False}).get("iss")
            keys = self._keys.get(claimed) if isinstance(claimed, str) else None
            if keys is None or header.get("alg") not in ALGORITHMS or text.endswith("."):
                return None
            key = keys.key(header.get("kid"))
            if key is None:
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
