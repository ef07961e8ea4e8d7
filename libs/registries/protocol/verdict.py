"""Verdicts of logins, and the meaning of a registry's response for them. Pure.

The HTTP status decides first, then the registry's error code, then the text
(`docs/reference/registry-login.md`, "Verification codes").
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from contracts.verdicts import VerificationCode
from registries.dialer.response import HttpResponse, retry_after
from registries.image_reference import ImageReference
from registries.provider import Provider

_RATE_TEXTS = ("too many failed login attempts", "toomanyrequests", "too many requests", "rate limit")
_EXPIRED_TEXTS = ("token has expired", "token is expired", "authorization token has expired", "expired token")
_FIREWALL_TEXTS = ("login attempt failed with status: 403", "client with ip", "not allowed access")


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """The result of a probe.

    `code` is `None` if the login has the permissions that its scope declares, and `unverifiable` if the
    registry's response was inconclusive.
    """

    image: ImageReference
    code: VerificationCode | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The result of a login. `code` is `None` if it was accepted.

    `detail` is one sentence, without anything that a registry sent. `confidence` is `weak` if the registry
    may accept any login. `retry_after` is in seconds. `probed` has no effect on the verdict.
    `secret_expires_at` is the expiry of the secret, if the provider reports it.
    """

    code: VerificationCode | None
    detail: str
    retry_after: int | None = None
    confidence: Literal["strong", "weak"] = "strong"
    probed: ProbeResult | None = None
    secret_expires_at: datetime | None = None


def refused(
    response: HttpResponse, *, provider: Provider, by: Literal["registry", "token server"]
) -> Verdict:
    """The verdict for a response to a login whose status is not 200."""
    text = _text(response)
    status = response.status
    if status == 429 or (400 <= status < 500 and any(part in text for part in _RATE_TEXTS)):  # noqa: PLR2004
        return Verdict(
            code=VerificationCode.RATE_LIMITED,
            detail=f"the {by} accepts no more logins for now",
            retry_after=retry_after(response),
        )
    if status >= 500:  # noqa: PLR2004
        return Verdict(
            code=VerificationCode.UNREACHABLE,
            detail=f"the {by} responded with an internal error (HTTP {status})",
            retry_after=retry_after(response),
        )
    if status in (401, 403) and any(part in text for part in _EXPIRED_TEXTS):
        return Verdict(code=VerificationCode.EXPIRED, detail=f"the {by} says that the secret has expired")
    if status == 401:  # noqa: PLR2004
        return Verdict(
            code=VerificationCode.BAD_CREDENTIAL, detail=f"the {by} refused username or secret (HTTP 401)"
        )
    if status == 403:  # noqa: PLR2004
        return _forbidden(response, provider=provider, by=by)
    if status in (400, 404, 405):
        return Verdict(
            code=VerificationCode.BAD_CHALLENGE,
            detail=f"the {by} does not support the login that the registry asked for (HTTP {status})",
        )
    return Verdict(
        code=VerificationCode.NOT_A_REGISTRY, detail=f"the {by} sent an unexpected response (HTTP {status})"
    )


def refuses_network(response: HttpResponse) -> bool:
    """Whether the response is from a firewall that refuses every login."""
    return response.status == 403 and any(part in _text(response) for part in _FIREWALL_TEXTS)  # noqa: PLR2004


def _text(response: HttpResponse) -> str:
    return response.body[:4096].decode("utf-8", "replace").lower()


def _forbidden(response: HttpResponse, *, provider: Provider, by: str) -> Verdict:
    text = _text(response)
    if refuses_network(response):
        return Verdict(
            code=VerificationCode.FORBIDDEN, detail=f"the {by} refuses the network that this login came from"
        )
    for meaning in provider.forbidden:
        if meaning.text in text:
            return Verdict(code=meaning.code, detail=meaning.detail.format(by=by))
    if first_code(response) == "denied":
        return Verdict(
            code=VerificationCode.BAD_CREDENTIAL, detail=f"the {by} refused username or secret (HTTP 403)"
        )
    return Verdict(code=VerificationCode.FORBIDDEN, detail=f"the {by} forbids this login (HTTP 403)")


def first_code(response: HttpResponse) -> str:
    """The code of the first error, in lower case (OCI distribution spec, section on error codes)."""
    try:
        return str(json.loads(_text(response))["errors"][0]["code"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
