"""Amazon Elastic Container Registry.

A password, valid for 12 hours, is created from an access key (`GetAuthorizationToken`).

The endpoints are from the documentation of AWS for regions and partitions. The errors are from the
documentation of the API and from its SDKs (`docs/reference/registry-login.md`, "Amazon ECR").
"""

import base64
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from chassis.secret import Secret
from contracts.verdicts import VerificationCode as Code
from registries.dialer.response import HttpResponse
from registries.logins.cloud_keys import AwsKeys
from registries.logins.registry_login import RegistryLogin
from registries.provider import Provider, TokenMinter, UsernameRule
from registries.signature_v4 import signed
from registries.token_service import (
    Minted,
    NotMinted,
    TokenServices,
    document_of,
    not_understood,
    throttled,
)

_DOMAINS = "|".join(
    re.escape(domain)
    for domain in (
        "amazonaws.com",
        "amazonaws.com.cn",
        "amazonaws.eu",
        "sc2s.sgov.gov",
        "c2s.ic.gov",
        "cloud.adc-e.uk",
        "csp.hci.ic.gov",
    )
)
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
    """The endpoint that creates passwords for a registry. Requests are signed for `region` and `service`."""

    url: str
    region: str
    service: str
    target: str


def endpoint_of(registry_host: str, override: str | None = None) -> Endpoint:
    """The endpoint of a registry. `{region}` in `override` is replaced by its region.

    Raises:
        ValueError: the host is not one of Amazon ECR.
    """
    if registry_host in _PUBLIC:
        url = "https://api.ecr-public.us-east-1.amazonaws.com/"
        region, service, target = "us-east-1", "ecr-public", "SpencerFrontendService.GetAuthorizationToken"
    else:
        found = _PRIVATE.fullmatch(registry_host)
        if found is None:
            raise ValueError("not a host of Amazon ECR")
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


def mint(
    stored: AwsKeys, registry_host: str, *, calls: TokenServices, at: datetime, endpoint: str | None
) -> Minted:
    """Create a password for the registry.

    Raises:
        NotMinted: Amazon created no password.
    """
    to = endpoint_of(registry_host, endpoint)
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": to.target}
    headers = signed(to.url, b"{}", headers, keys=stored, region=to.region, service=to.service, at=at)
    response = calls.post(to.url, b"{}", headers, service=SERVICE)
    if response.status != _OK:
        raise _refused(response)
    token_response: Any = document_of(response).get("authorizationData")
    try:
        if isinstance(token_response, list):  # of private registries; ECR Public returns the object itself
            token_response = token_response[0]
        username, colon, password = (
            base64.b64decode(token_response["authorizationToken"]).decode().partition(":")
        )
        expires_at = datetime.fromtimestamp(token_response["expiresAt"], UTC)
    except (ValueError, TypeError, LookupError, OverflowError, OSError):
        raise not_understood(SERVICE) from None
    if not (colon and password.isprintable() and password and username == "AWS"):
        raise not_understood(SERVICE)
    return Minted(login=RegistryLogin(username=username, password=Secret(password)), expires_at=expires_at)


def _refused(response: HttpResponse) -> NotMinted:
    document = document_of(response)
    kind = str(document.get("__type") or response.header("x-amzn-errortype") or "")
    kind = kind.rpartition("#")[2].partition(":")[0]
    message = str(document.get("message") or document.get("Message") or "").lower()
    if kind in _THROTTLED:
        return throttled(SERVICE, response)
    if kind in _WRONG_SECRET and ("signature expired" in message or "not yet current" in message):
        return NotMinted(
            Code.UNREACHABLE,
            f"{SERVICE} reports that the clock of regcred is wrong; the operator has to correct it",
        )
    if kind in _EXPIRED:
        return NotMinted(Code.EXPIRED, f"{SERVICE} reports that the session of this key has expired")
    if kind in _UNKNOWN_KEY:
        return NotMinted(Code.BAD_CREDENTIAL, f"{SERVICE} does not know this access key (any longer)")
    if kind in _WRONG_SECRET:
        return NotMinted(Code.BAD_CREDENTIAL, f"{SERVICE} reports that the secret access key is wrong")
    if kind in _NOT_ALLOWED:
        return NotMinted(Code.MISSING_SCOPE, "the access key is valid, but may not create ECR passwords")
    return NotMinted(Code.FORBIDDEN, f"{SERVICE} refused the access key (HTTP {response.status})")


PROVIDER = Provider(
    id="ecr",
    order=60,
    name="Amazon Elastic Container Registry",
    hosts=("<account>.dkr.ecr.<region>.amazonaws.com", "public.ecr.aws"),
    registry_url="required",
    host_pattern=re.compile(
        rf"[0-9]{{12}}\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.({_DOMAINS})"
        r"|[0-9]{12}\.dkr-ecr(-fips)?\.[a-z0-9-]+\.(on\.aws|on\.amazonwebservices\.com\.cn)"
        r"|public\.ecr\.aws|ecr-public\.aws\.com"
    ),
    example_host="123456789012.dkr.ecr.eu-central-1.amazonaws.com",
    host_rule="<12 digits>.dkr.ecr.<region>.amazonaws.com or public.ecr.aws",
    secret_kinds=("aws_keys", "username_password", "docker_config"),
    username=UsernameRule(rule="fixed", label="Username", help="Always AWS.", allowed=("AWS",)),
    image_path="<account>.dkr.ecr.<region>.amazonaws.com/<repository>",
    permission="ecr:GetAuthorizationToken, ecr:BatchGetImage, ecr:GetDownloadUrlForLayer and "
    "ecr:BatchCheckLayerAvailability.",
    expiry="Access keys of a user do not expire; a password of `aws ecr get-login-password` expires "
    "after 12 hours.",
    help="Enter an access key of an IAM user with these rights: regcred creates passwords, which expire "
    "after 12 hours, from it. Or enter the output of `aws ecr get-login-password` as the password, and "
    "rotate it from a scheduled job.",
    quirks=(
        "The access key creates passwords for the region in the registry's host.",
        "Listing tags also needs ecr:ListImages.",
    ),
    docs_url="https://docs.aws.amazon.com/AmazonECR/latest/userguide/registry_auth.html",
    advice={
        Code.BAD_CREDENTIAL: (
            "Amazon refused the login. The username is AWS and the password the output of `aws ecr "
            "get-login-password` for the registry's own region, created less than 12 hours ago."
        ),
        Code.EXPIRED: (
            "An Amazon ECR password expires after 12 hours. Create a new one with `aws ecr "
            "get-login-password` and rotate, best from a scheduled job."
        ),
        Code.FORBIDDEN: (
            "The AWS identity lacks rights. Allow ecr:GetAuthorizationToken, ecr:BatchGetImage, "
            "ecr:GetDownloadUrlForLayer and ecr:BatchCheckLayerAvailability, and check the repository's "
            "policy."
        ),
        Code.NO_PULL_ACCESS: (
            "Allow ecr:BatchGetImage and ecr:GetDownloadUrlForLayer on that repository, in the identity's "
            "policy or, from another account, in the repository's too."
        ),
    },
    needs_control_login=False,
    minter=TokenMinter(cloud="amazon", secret=AwsKeys, mint=mint),
)
