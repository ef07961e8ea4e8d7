"""How a login ended, and what an answer of a registry means for it. Pure.

The status decides first, then the registry's error code, then the text (`docs/reference/registry-login.md`,
"Verification codes").
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
    """What became of an image that a good login was tried on. `code` is `None` where it may do there what is
    declared; `unverifiable` where the registry did not tell.
    """

    image: ImageReference
    code: VerificationCode | None
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`code` is `None` for a good login. `detail` is one sentence that holds nothing a registry sent.

    `confidence` is `weak` where the registry may take any login. `retry_after` is in seconds. `probed` says
    nothing about the login. `ends_at`: the provider says that its secret ends then.
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
    """What it means that a login was answered so, when it should have been answered 200."""
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
            detail=f"the {by} answered with an error of its own (HTTP {status})",
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
            detail=f"the {by} does not take the login that the registry asked for (HTTP {status})",
        )
    return Verdict(
        code=VerificationCode.NOT_A_REGISTRY, detail=f"the {by} gave an unexpected answer (HTTP {status})"
    )


def refuses_network(response: HttpResponse) -> bool:
    """Whether a firewall in front of the registry answers, whatever the login."""
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
