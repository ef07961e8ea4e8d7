"""Service-to-service tokens: JWTs (RFC 7519) of issuers that the operator trusts (`REGCRED_TOKEN_ISSUERS`).

    iss                 the issuer, as it is listed
    aud                 `regcred`; tokens for other services are refused
    sub                 the id of the principal; `name` is optional, for display
    exp                 required; `nbf` and `iat` are checked if present
    scope               scopes, separated by spaces (RFC 8693 section 4.2)
    regcred_accounts    the accounts for which it is valid; required; ["*"] is all accounts
    regcred_projects    the projects for which it is valid, if it is restricted to some

Keys are the JWKS of the issuer (RFC 7517), in a file or at an https URL. Only signatures with a private key
are accepted: with a shared secret (HS256), every service that can verify a token could also create one (RFC
8725 section 3.1).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jwt

from chassis.authentication.issuer_keys import IssuerKeys, Monotonic
from chassis.authentication.key_sources import SETTING, FileKeys, KeySource, UrlKeys
from chassis.authentication.tokens import Principal, TokenScope
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
    """Authenticates tokens of these issuers."""

    def __init__(self, issuers: Mapping[str, KeySource], *, monotonic: Monotonic) -> None:
        self._keys = {issuer: IssuerKeys(source, monotonic=monotonic) for issuer, source in issuers.items()}

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
        except (jwt.PyJWTError, ValueError, TypeError):
            return None
        return principal_of(claims)


def principal_of(claims: Mapping[str, Any]) -> Principal | None:
    """The principal that verified claims describe. `None` if they are incomplete or invalid."""
    subject, issuer = claims.get("sub"), claims.get("iss")
    if not isinstance(subject, str) or not subject.isprintable() or not 0 < len(subject) <= MAX_SUBJECT:
        return None
    name = claims.get("name")
    accounts = _strings(claims.get("regcred_accounts"))
    projects = _strings(claims.get("regcred_projects"))
    if accounts is None or (projects is None and "regcred_projects" in claims):
        return None
    known = {scope.value for scope in TokenScope}
    granted = str(claims.get("scope") or "").split()
    return Principal(
        id=f"{issuer}#{subject}",
        name=name if isinstance(name, str) and name.isprintable() and name else subject,
        scopes=frozenset(TokenScope(scope) for scope in granted if scope in known),
        accounts=None if EVERY_ACCOUNT in accounts else frozenset(accounts),
        projects=None if projects is None else frozenset(projects),
    )


def _strings(value: object) -> Sequence[str] | None:
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return value
    return None
