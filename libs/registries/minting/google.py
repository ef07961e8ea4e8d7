"""Google: a service account's key becomes an access token of an hour ("Using OAuth 2.0 for Server to Server
Applications"), with which the user `oauth2accesstoken` logs in.

The key file says where (`token_uri`). Whoever writes one must not choose to whom the signed request goes, so
that host has to be Google's.
"""

import base64
import json
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import jwt

from chassis.secret import Secret
from contracts.verdicts import VerificationCode
from registries.dialing.session import Answer
from registries.logins.registry_login import RegistryLogin
from registries.minting.errors import NotMinted
from registries.minting.minted import Minted
from registries.minting.token_calls import TokenCalls, document_of, not_understood

SERVICE = "Google's token service"
KEY_USERNAMES = frozenset({"_json_key", "_json_key_base64"})
TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 no secret, an address
TOKEN_HOSTS = frozenset({"oauth2.googleapis.com", "www.googleapis.com", "accounts.google.com"})
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"  # what Artifact Registry documents for such tokens
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"  # RFC 7523
_LIFE = timedelta(hours=1)  # the most that Google takes
_OK = 200
_MAX_TOKEN = 16 * 1024


def mint(key: RegistryLogin, *, calls: TokenCalls, at: datetime, override: str | None = None) -> Minted:
    """An access token for the account whose key file is the password of `key`.

    Raises:
        NotMinted
    """
    document = _key_document(key)
    audience = document.get("token_uri") or TOKEN_URI
    parts = urlsplit(audience)
    if parts.scheme != "https" or parts.netloc not in TOKEN_HOSTS:
        raise NotMinted(
            VerificationCode.BLOCKED_HOST, "the key file's token_uri is at none of Google's token services"
        )
    claims = {
        "iss": document["client_email"],
        "scope": _SCOPE,
        "aud": audience,
        "iat": int(at.timestamp()),
        "exp": int((at + _LIFE).timestamp()),
    }
    try:
        assertion = jwt.encode(
            claims, document["private_key"], "RS256", headers={"kid": document["private_key_id"]}
        )
    except (ValueError, TypeError, jwt.PyJWTError):
        raise NotMinted(
            VerificationCode.BAD_CREDENTIAL, "the private key of the key file is damaged"
        ) from None
    form = [("grant_type", _GRANT), ("assertion", assertion)]
    answer = calls.post_form(override or audience, form, service=SERVICE)
    if answer.status != _OK:
        raise _refused(answer)
    given = document_of(answer)
    token, seconds = given.get("access_token"), given.get("expires_in")
    if not isinstance(token, str) or not isinstance(seconds, int) or not 0 < seconds <= 24 * 3600:
        raise not_understood(SERVICE)
    if not (token.isascii() and token.isprintable() and 0 < len(token) <= _MAX_TOKEN):
        raise not_understood(SERVICE)
    return Minted(
        login=RegistryLogin(username="oauth2accesstoken", password=Secret(token)),
        expires_at=at + timedelta(seconds=seconds),
    )


def _key_document(key: RegistryLogin) -> dict[str, Any]:
    """The key file; what is missing in it was refused when it was given, unless it came as a password."""
    text = key.password.reveal() if key.password is not None else ""
    try:
        if key.username == "_json_key_base64":
            text = base64.b64decode(text).decode()
        document = json.loads(text)
        if all(isinstance(document[name], str) for name in ("client_email", "private_key", "private_key_id")):
            return dict(document)
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise NotMinted(
        VerificationCode.BAD_CREDENTIAL, "the stored secret is not the key file of a service account"
    )


def _refused(answer: Answer) -> NotMinted:
    document = document_of(answer)
    error = str(document.get("error", ""))
    told = str(document.get("error_description", "")).lower()
    if error == "invalid_grant" and ("reasonable timeframe" in told or "iat and exp" in told):
        return NotMinted(
            VerificationCode.UNREACHABLE,
            f"{SERVICE} finds that this service's clock is wrong; the operator has to set it",
        )
    if error in {"invalid_grant", "invalid_client", "deleted_client", "unauthorized_client"}:
        return NotMinted(
            VerificationCode.BAD_CREDENTIAL,
            f"{SERVICE} does not take this key: deleted, or of a deleted account",
        )
    if error in {
        "disabled_client",
        "account_disabled",
        "access_denied",
        "org_internal",
        "admin_policy_enforced",
    }:
        return NotMinted(VerificationCode.FORBIDDEN, f"{SERVICE} says that this account is switched off")
    if error == "invalid_scope":
        return NotMinted(
            VerificationCode.MISSING_SCOPE, f"{SERVICE} gives this account no token for registries"
        )
    return NotMinted(VerificationCode.FORBIDDEN, f"{SERVICE} refused the key (HTTP {answer.status})")
