"""Amazon ECR: an access key becomes a password of 12 hours (`GetAuthorizationToken`).

Endpoints are those that AWS documents for the regions and partitions. The errors are those of the API's
documentation and of what its SDKs report (`docs/reference/registry-login.md`, "Amazon ECR").
"""

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chassis.secret import Secret
from contracts.verdicts import VerificationCode
from registries.dialing.session import Answer
from registries.logins.cloud_keys import AwsKeys
from registries.logins.registry_login import RegistryLogin
from registries.minting.errors import NotMinted
from registries.minting.minted import Minted
from registries.minting.signature_v4 import signed
from registries.minting.token_calls import TokenCalls, document_of, not_understood, throttled

SERVICE = "Amazon's token service"
_PRIVATE = re.compile(r"[0-9]{12}\.dkr[.-]ecr(-fips)?\.([a-z0-9-]+)\.([a-z0-9.-]+)")
_PUBLIC = frozenset({"public.ecr.aws", "ecr-public.aws.com"})
_DUAL_STACK = {"on.aws": "amazonaws.com", "on.amazonwebservices.com.cn": "amazonaws.com.cn"}
_OK = 200

_UNKNOWN_KEY = ("UnrecognizedClientException", "InvalidClientTokenId", "MissingAuthenticationTokenException")
_WRONG_SECRET = ("InvalidSignatureException", "SignatureDoesNotMatch", "IncompleteSignature")
_EXPIRED = ("ExpiredTokenException", "ExpiredToken", "RequestExpired")
_THROTTLED = ("ThrottlingException", "Throttling", "TooManyRequestsException", "RequestLimitExceeded")
_NOT_ALLOWED = (
    "AccessDeniedException",
    "AccessDenied",
    "UnauthorizedOperation",
    "NotAuthorized",
    "OptInRequired",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a registry's passwords are made; `region` and `service` are those to sign requests for."""

    url: str
    region: str
    service: str
    target: str


def endpoint_of(registry_host: str, override: str | None = None) -> Endpoint:
    """The endpoint of a registry. In `override`, `{region}` stands for its region.

    Raises:
        ValueError: it is no host of Amazon ECR.
    """
    if registry_host in _PUBLIC:
        url = "https://api.ecr-public.us-east-1.amazonaws.com/"
        region, service, target = "us-east-1", "ecr-public", "SpencerFrontendService.GetAuthorizationToken"
    else:
        found = _PRIVATE.fullmatch(registry_host)
        if found is None:
            raise ValueError("no host of Amazon ECR")
        fips, region, domain = found.groups()
        domain = _DUAL_STACK.get(domain, domain)
        host = f"ecr-fips.{region}.{domain}" if fips else f"api.ecr.{region}.{domain}"
        if fips and domain != "amazonaws.com":
            host = f"api.{host}"
        url = f"https://{host}/"
        service, target = "ecr", "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken"
    if override is not None:
        url = override.replace("{region}", region)
    return Endpoint(url=url, region=region, service=service, target=target)


def mint(keys: AwsKeys, endpoint: Endpoint, *, calls: TokenCalls, at: datetime) -> Minted:
    """The password of this moment.

    Raises:
        NotMinted
    """
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": endpoint.target}
    headers = signed(
        endpoint.url, b"{}", headers, keys=keys, region=endpoint.region, service=endpoint.service, at=at
    )
    answer = calls.post(endpoint.url, b"{}", headers, service=SERVICE)
    if answer.status != _OK:
        raise _refused(answer)
    given: Any = document_of(answer).get("authorizationData")
    try:
        if isinstance(given, list):  # of private registries; ECR Public gives the object itself
            given = given[0]
        username, colon, password = base64.b64decode(given["authorizationToken"]).decode().partition(":")
        expires_at = datetime.fromtimestamp(given["expiresAt"], UTC)
    except (ValueError, TypeError, LookupError, OverflowError, OSError):
        raise not_understood(SERVICE) from None
    if not (colon and password.isprintable() and password and username == "AWS"):
        raise not_understood(SERVICE)
    return Minted(login=RegistryLogin(username=username, password=Secret(password)), expires_at=expires_at)


def _refused(answer: Answer) -> NotMinted:
    document = document_of(answer)
    kind = str(document.get("__type") or answer.header("x-amzn-errortype") or "")
    kind = kind.rpartition("#")[2].partition(":")[0]
    message = str(document.get("message") or document.get("Message") or "").lower()
    if kind in _THROTTLED:
        return throttled(SERVICE, answer)
    if kind in _WRONG_SECRET and ("signature expired" in message or "not yet current" in message):
        return NotMinted(
            VerificationCode.UNREACHABLE,
            f"{SERVICE} finds that this service's clock is wrong; the operator has to set it",
        )
    if kind in _EXPIRED:
        return NotMinted(VerificationCode.EXPIRED, f"{SERVICE} says that the session of this key has ended")
    if kind in _UNKNOWN_KEY:
        return NotMinted(
            VerificationCode.BAD_CREDENTIAL, f"{SERVICE} does not know this access key, or not any more"
        )
    if kind in _WRONG_SECRET:
        return NotMinted(
            VerificationCode.BAD_CREDENTIAL, f"{SERVICE} finds that the secret key is not that of this id"
        )
    if kind in _NOT_ALLOWED:
        return NotMinted(
            VerificationCode.MISSING_SCOPE, "the access key is good, but may not ask for ECR passwords"
        )
    return NotMinted(VerificationCode.FORBIDDEN, f"{SERVICE} refused the access key (HTTP {answer.status})")
