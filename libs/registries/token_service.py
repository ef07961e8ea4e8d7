"""The interface between the minter of a provider and a token service: calls, results and errors. Pure.

Exception
└── NotMinted      the cloud created no login from the stored keys

Details contain nothing that a cloud sent.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from contracts.verdicts import VerificationCode
from registries.dialer.response import HttpResponse, retry_after
from registries.logins.registry_login import RegistryLogin

# The cloud checked the keys and refused them. With all other codes it did not check them.
REFUSALS = frozenset(
    {
        VerificationCode.BAD_CREDENTIAL,
        VerificationCode.EXPIRED,
        VerificationCode.MISSING_SCOPE,
        VerificationCode.FORBIDDEN,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Minted:
    """A login for a registry. `expires_at` is `None` for a stored login that is used unchanged."""

    login: RegistryLogin
    expires_at: datetime | None


class NotMinted(Exception):
    """The cloud created no login. `code` is the verdict on the keys; `retry_after` is in seconds."""

    def __init__(self, code: VerificationCode, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.retry_after = retry_after

    @property
    def refused(self) -> bool:
        """Whether the cloud refused the keys, so that a retry does not help."""
        return self.code in REFUSALS


class TokenServices(Protocol):
    """Calls of token services. `service` is the name of the token service in error messages.

    Each call raises `NotMinted` if there is no response, or one that is not about the keys (429, 5xx).
    """

    def scheme_for(self, host: str) -> str:
        """`https`, or `http` if the operator lists the host."""

    def post(self, url: str, body: bytes, headers: Mapping[str, str], *, service: str) -> HttpResponse:
        """Send a request and return the response."""

    def post_form(self, url: str, form: Sequence[tuple[str, str]], *, service: str) -> HttpResponse:
        """Send a form, as OAuth 2.0 specifies it (RFC 6749), and return the response."""


def document_of(response: HttpResponse) -> dict[str, Any]:
    """The JSON object in a response; an empty one if there is none."""
    try:
        document = json.loads(response.body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def throttled(service: str, response: HttpResponse) -> NotMinted:
    """The error for a token service that limits requests."""
    detail = f"{service} accepts no more requests for now"
    return NotMinted(VerificationCode.RATE_LIMITED, detail, retry_after=retry_after(response))


def not_understood(service: str) -> NotMinted:
    """The error for a response that the token service does not document."""
    return NotMinted(VerificationCode.UNREACHABLE, f"{service} sent a response that cannot be read")
