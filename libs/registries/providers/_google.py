"""The common part of the providers Container Registry and Artifact Registry.

An access token, valid for an hour, is created from the key of a service account (Google, "Using OAuth 2.0 for
Server to Server Applications"). It is the password of the user `oauth2accesstoken`. The key file names the
token service (`token_uri`). That host must be one of Google's, because the author of a key file must not
choose the receiver of the signed request.

The public certificate of a key contains its expiry. The key file names the URL of the certificate
(`client_x509_cert_url`). The key is not sent there.
"""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import jwt
from cryptography import x509

from chassis.secret import Secret
from contracts.verdicts import VerificationCode as Code
from registries.dialer.response import HttpResponse
from registries.logins.registry_login import RegistryLogin
from registries.provider import AcceptedLogin, ExpiryRequest, Provider, TokenMinter, UsernameRule
from registries.token_service import Minted, NotMinted, TokenServices, document_of, not_understood

SERVICE = "Google's token service"
TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 an address, not a secret
TOKEN_HOSTS = frozenset({"oauth2.googleapis.com", "www.googleapis.com", "accounts.google.com"})
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"  # the scope that Artifact Registry documents
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"  # RFC 7523
_LIFETIME = timedelta(hours=1)  # the longest that Google accepts
_OK = 200
_MAX_TOKEN = 16 * 1024
_CERTIFICATES = "/robot/v1/metadata/x509/"
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)  # keys without expiry have a date in the year 9999


def mint(
    stored: RegistryLogin, _registry_host: str, *, calls: TokenServices, at: datetime, endpoint: str | None
) -> Minted:
    """Create an access token for the account whose key file is the password of `stored`.

    Raises:
        NotMinted: Google created no token, or the key file cannot be used.
    """
    document = _key_document(stored)
    audience = document.get("token_uri") or TOKEN_URI
    parts = urlsplit(audience)
    if parts.scheme != "https" or parts.netloc not in TOKEN_HOSTS:
        raise NotMinted(Code.BLOCKED_HOST, "the token_uri of the key file is not a token service of Google")
    claims = {
        "iss": document["client_email"],
        "scope": _SCOPE,
        "aud": audience,
        "iat": int(at.timestamp()),
        "exp": int((at + _LIFETIME).timestamp()),
    }
    try:
        assertion = jwt.encode(
            claims, document["private_key"], "RS256", headers={"kid": document["private_key_id"]}
        )
    except (ValueError, TypeError, jwt.PyJWTError):
        raise NotMinted(Code.BAD_CREDENTIAL, "the private key of the key file is damaged") from None
    form = [("grant_type", _GRANT), ("assertion", assertion)]
    response = calls.post_form(endpoint or audience, form, service=SERVICE)
    if response.status != _OK:
        raise _refused(response)
    token_response = document_of(response)
    token, seconds = token_response.get("access_token"), token_response.get("expires_in")
    if not isinstance(token, str) or not isinstance(seconds, int) or not 0 < seconds <= 24 * 3600:
        raise not_understood(SERVICE)
    if not (token.isascii() and token.isprintable() and 0 < len(token) <= _MAX_TOKEN):
        raise not_understood(SERVICE)
    return Minted(
        login=RegistryLogin(username="oauth2accesstoken", password=Secret(token)),
        expires_at=at + timedelta(seconds=seconds),
    )


def _key_document(key: RegistryLogin) -> dict[str, Any]:
    """The key file. Its fields were checked when it was stored, except if it was stored as a password."""
    try:
        document = _json(key.username, key.password.reveal() if key.password is not None else "")
        if all(isinstance(document[name], str) for name in ("client_email", "private_key", "private_key_id")):
            return dict(document)
    except (ValueError, TypeError, KeyError, RecursionError):
        pass
    raise NotMinted(Code.BAD_CREDENTIAL, "the stored secret is not the key file of a service account")


def _refused(response: HttpResponse) -> NotMinted:
    document = document_of(response)
    error = str(document.get("error", ""))
    description = str(document.get("error_description", "")).lower()
    if error == "invalid_grant" and ("reasonable timeframe" in description or "iat and exp" in description):
        return NotMinted(
            Code.UNREACHABLE,
            f"{SERVICE} reports that the clock of regcred is wrong; the operator has to correct it",
        )
    if error in {"invalid_grant", "invalid_client", "deleted_client", "unauthorized_client"}:
        return NotMinted(
            Code.BAD_CREDENTIAL,
            f"{SERVICE} refused this key; the key or its account was deleted",
        )
    if error in {
        "disabled_client",
        "account_disabled",
        "access_denied",
        "org_internal",
        "admin_policy_enforced",
    }:
        return NotMinted(Code.FORBIDDEN, f"{SERVICE} reports that the account of this key is disabled")
    if error == "invalid_scope":
        return NotMinted(Code.MISSING_SCOPE, f"{SERVICE} creates no token for registries for this account")
    return NotMinted(Code.FORBIDDEN, f"{SERVICE} refused the key (HTTP {response.status})")


MINTER = TokenMinter(
    cloud="google",
    secret=RegistryLogin,
    key_usernames=frozenset({"_json_key", "_json_key_base64"}),
    mint=mint,
)


def expiry_request(login: AcceptedLogin) -> ExpiryRequest | None:
    """The request for the public certificate of the key.

    `None` if the password is not a key file, or if the key file names a host that is not Google's.
    """
    try:
        document = _json(login.username, login.password)
        key_id, url = document["private_key_id"], str(document["client_x509_cert_url"])
        parts = urlsplit(url)
    except (ValueError, TypeError, LookupError, RecursionError):
        return None
    if (parts.scheme, parts.netloc) != ("https", "www.googleapis.com"):
        return None
    if not parts.path.startswith(_CERTIFICATES) or not url.isascii() or not url.isprintable():
        return None

    def read(response: HttpResponse) -> datetime | None:
        try:
            certificate = x509.load_pem_x509_certificate(json.loads(response.body)[key_id].encode())
            expiry = certificate.not_valid_after_utc
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
            return None
        return expiry if expiry < _LATEST else None

    return ExpiryRequest(url, read)


def _json(username: str, password: str) -> Any:
    """The document in a key file. Raises `ValueError` or `RecursionError`."""
    text = base64.b64decode(password).decode() if username == "_json_key_base64" else password
    return json.loads(text)


# Each of the two providers replaces the empty fields and adds its own quirk and advice.
BASE = Provider(
    id="",
    name="",
    hosts=(),
    registry_url="fixed",
    secret_kinds=("keyfile", "username_password", "docker_config"),
    username=UsernameRule(
        rule="default",
        label="Username",
        help="Leave it empty for an access token (oauth2accesstoken). For a key file choose the kind "
        "keyfile; it needs no username.",
        allowed=("oauth2accesstoken", "_json_key", "_json_key_base64"),
    ),
    image_path="",
    permission="",
    expiry="A key file expires only if a policy of the organization says so; regcred detects this. An "
    "access token expires after an hour.",
    help="In Google Cloud, under IAM, Service accounts, create a key of type JSON for a service account and "
    "enter the downloaded file unchanged. An access token also works as a password, but expires after about "
    "an hour.",
    quirks=("Pass the key file as a file: a shell breaks its quotes and line breaks.",),
    docs_url="https://cloud.google.com/artifact-registry/docs/docker/authentication",
    advice={
        Code.BAD_CREDENTIAL: (
            "Google refused the key. Check under IAM, Service accounts that the key still exists and that "
            "neither it nor the account is disabled, or create a new JSON key. Access tokens expire after "
            "about an hour."
        ),
        Code.EXPIRED: (
            "A Google access token expires after about an hour. Use a service account's JSON key (kind "
            "keyfile) instead."
        ),
    },
    refused_usernames=r"ya29\.\S{20,}",
    helper_usernames=r"_dcgcr_.*|_token",
    expiry_request=expiry_request,
    minter=MINTER,
)
