"""What the minter of a provider needs: how it calls a token service, what it returns, and how it fails. Pure.

Exception
└── NotMinted      a cloud created no login from the stored keys

Details are sentences of our own: they contain nothing that a cloud sent.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from contracts.verdicts import VerificationCode
from registries.dialer.response import HttpResponse, retry_after
from registries.logins.registry_login import RegistryLogin

# The cloud checked the keys and refused them. Every other code says that it could not be asked.
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
    """A login for a registry. `expires_at` is `None` for a stored login that is used as it is."""

    login: RegistryLogin
    expires_at: datetime | None


class NotMinted(Exception):
    """`code` is the verdict of a verification of these keys; `retry_after` is in seconds."""

    def __init__(self, code: VerificationCode, detail: str, *, retry_after: int | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.retry_after = retry_after

    @property
    def refused(self) -> bool:
        """Whether asking again is no use."""
        return self.code in REFUSALS


class TokenServices(Protocol):
    """Calls of token services. `service` is the name of the token service in error messages.

    Each call raises `NotMinted` if there is no response, or one that says nothing of the keys (429, 5xx).
    """

    def scheme_for(self, host: str) -> str:
        """`https`, or `http` where the operator lists the host."""

    def post(self, url: str, body: bytes, headers: Mapping[str, str], *, service: str) -> HttpResponse:
        """The response to one request."""

    def post_form(self, url: str, form: Sequence[tuple[str, str]], *, service: str) -> HttpResponse:
        """The response to a form, as OAuth 2.0 specifies it (RFC 6749)."""


def document_of(response: HttpResponse) -> dict[str, Any]:
    """The JSON object of a response; an empty one if there is none."""
    try:
        document = json.loads(response.body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def throttled(service: str, response: HttpResponse) -> NotMinted:
    """The error for a token service that accepts no more requests for now."""
    detail = f"{service} takes no more requests for now"
    return NotMinted(VerificationCode.RATE_LIMITED, detail, retry_after=retry_after(response))


def not_understood(service: str) -> NotMinted:
    """The error for a response that is none of those that the token service documents."""
    return NotMinted(VerificationCode.UNREACHABLE, f"{service} gave an answer that cannot be read")
