"""What Container Registry and Artifact Registry share: texts, the minter, and the expiry of a key.

A service account's key becomes an access token of an hour (Google, "Using OAuth 2.0 for Server to Server
Applications"), with which the user `oauth2accesstoken` logs in. The key file names the token service
(`token_uri`). The author of a key file must not choose who receives the signed request, so that host has to
be Google's.

When a key expires is in its public certificate, which the key file names (`client_x509_cert_url`). The key is
not sent.
"""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import jwt
from cryptography import x509

from chassis.secret import Secret
from contracts.credential_events import SecretKind
from contracts.verdicts import VerificationCode as Code
from registries.dialer.response import HttpResponse
from registries.logins.registry_login import RegistryLogin
from registries.provider import AcceptedLogin, ExpiryRequest, TokenMinter, UsernameRule
from registries.token_service import Minted, NotMinted, TokenServices, document_of, not_understood

SERVICE = "Google's token service"
TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 no secret, an address
TOKEN_HOSTS = frozenset({"oauth2.googleapis.com", "www.googleapis.com", "accounts.google.com"})
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"  # what Artifact Registry documents for such tokens
_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"  # RFC 7523
_LIFE = timedelta(hours=1)  # the most that Google takes
_OK = 200
_MAX_TOKEN = 16 * 1024
_CERTIFICATES = "/robot/v1/metadata/x509/"
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)  # Google's "never" is in the year 9999

KINDS: tuple[SecretKind, ...] = ("keyfile", "username_password", "docker_config")
USERNAME = UsernameRule(
    rule="default",
    label="Username",
    help="Leave it empty for an access token (oauth2accesstoken). For a key file choose the kind keyfile; it "
    "needs no username.",
    allowed=("oauth2accesstoken", "_json_key", "_json_key_base64"),
)
HELP = (
    "In Google Cloud, under IAM, Service accounts, create a key of type JSON for a service account and "
    "enter the downloaded file unchanged. An access token also works as a password, but expires after about "
    "an hour."
)
EXPIRY = (
    "A key file expires only if a policy of the organization says so; regcred detects this. An "
    "access token expires after an hour."
)
KEY_FILE_QUIRK = "Pass the key file as a file: a shell breaks its quotes and line breaks."
DOCS_URL = "https://cloud.google.com/artifact-registry/docs/docker/authentication"
KEY_REFUSED = (
    "Google refused the key. Check under IAM, Service accounts that the key still exists and that "
    "neither it nor the account is disabled, or create a new JSON key. Access tokens expire after "
    "about an hour."
)
ACCESS_EXPIRED = (
    "A Google access token expires after about an hour. Use a service account's JSON key (kind "
    "keyfile) instead."
)
REFUSED_USERNAMES = r"ya29\.\S{20,}"
HELPER_USERNAMES = r"_dcgcr_.*|_token"


def mint(
    stored: RegistryLogin, _registry_host: str, *, calls: TokenServices, at: datetime, endpoint: str | None
) -> Minted:
    """An access token for the account whose key file is the password of `stored`.

    Raises:
        NotMinted
    """
    document = _key_document(stored)
    audience = document.get("token_uri") or TOKEN_URI
    parts = urlsplit(audience)
    if parts.scheme != "https" or parts.netloc not in TOKEN_HOSTS:
        raise NotMinted(Code.BLOCKED_HOST, "the key file's token_uri is at none of Google's token services")
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
    """The key file; what is missing in it was refused when it was given, unless it came as a password."""
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
            f"{SERVICE} finds that this service's clock is wrong; the operator has to set it",
        )
    if error in {"invalid_grant", "invalid_client", "deleted_client", "unauthorized_client"}:
        return NotMinted(
            Code.BAD_CREDENTIAL,
            f"{SERVICE} does not take this key: deleted, or of a deleted account",
        )
    if error in {
        "disabled_client",
        "account_disabled",
        "access_denied",
        "org_internal",
        "admin_policy_enforced",
    }:
        return NotMinted(Code.FORBIDDEN, f"{SERVICE} says that this account is switched off")
    if error == "invalid_scope":
        return NotMinted(Code.MISSING_SCOPE, f"{SERVICE} gives this account no token for registries")
    return NotMinted(Code.FORBIDDEN, f"{SERVICE} refused the key (HTTP {response.status})")


MINTER = TokenMinter(
    cloud="google",
    secret=RegistryLogin,
    key_usernames=frozenset({"_json_key", "_json_key_base64"}),
    mint=mint,
)


def expiry_request(login: AcceptedLogin) -> ExpiryRequest | None:
    """The public certificate of the key; `None` if the password is no key file, or names another host."""
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
            end = certificate.not_valid_after_utc
        except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
            return None
        return end if end < _LATEST else None

    return ExpiryRequest(url, read)


def _json(username: str, password: str) -> Any:
    """The key file. Raises `ValueError`, or `RecursionError`."""
    text = base64.b64decode(password).decode() if username == "_json_key_base64" else password
    return json.loads(text)
