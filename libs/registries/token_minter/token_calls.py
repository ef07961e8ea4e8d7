"""Calls of the clouds' token services through the dialer.

There are no proxies and no redirects, and each call has one deadline.
"""

import ssl
from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from urllib.parse import urlencode, urlsplit

from contracts.verdicts import VerificationCode
from registries.dialer.addresses import NetworkPolicy
from registries.dialer.connection import Deadline
from registries.dialer.dialer import Dialer, Resolver, system_resolver
from registries.dialer.errors import Blocked, LoginNotTried, TlsFailed
from registries.dialer.response import HttpResponse, retry_after
from registries.dialer.session import HttpSession
from registries.token_service import NotMinted, throttled

SECONDS = 10.0
_TOO_MANY, _SERVER_ERROR = 429, 500


class TokenCalls:
    """Calls token services.

    `tls` has the trusted certificate authorities. `seconds` is the deadline of a call.
    """

    def __init__(
        self,
        policy: NetworkPolicy,
        tls: ssl.SSLContext,
        *,
        resolver: Resolver = system_resolver,
        clock: Callable[[], float] = monotonic,
        seconds: float = SECONDS,
    ) -> None:
        self._policy = policy
        self._tls = tls
        self._resolver = resolver
        self._clock = clock
        self._seconds = seconds

    def scheme_for(self, host: str) -> str:
        """`https`, or `http` if the operator lists the host."""
        return self._policy.scheme_for(host)

    def post(self, url: str, body: bytes, headers: Mapping[str, str], *, service: str) -> HttpResponse:
        """Send a request and return the response. `service` is the name of the token service in messages.

        Raises:
            NotMinted: there is no response, or one that is not about the keys (HTTP 429 and 5xx).
        """
        parts = urlsplit(url)
        if parts.scheme != "https" and self._policy.scheme_for(parts.netloc) != parts.scheme:
            raise NotMinted(VerificationCode.BLOCKED_HOST, f"{service} does not use TLS")
        deadline = Deadline(self._seconds, self._clock)
        dialer = Dialer(self._policy, deadline, self._resolver)
        try:
            with HttpSession(dialer, deadline, self._tls) as session:
                response = session.request("POST", url, headers=headers, body=body)
        except Blocked:
            detail = f"{service} has an address that regcred may not connect to; the operator can allow it"
            raise NotMinted(VerificationCode.BLOCKED_HOST, detail) from None
        except TlsFailed:
            detail = f"the certificate of {service} is not trusted"
            raise NotMinted(VerificationCode.TLS_ERROR, detail) from None
        except LoginNotTried:
            raise NotMinted(VerificationCode.UNREACHABLE, f"{service} cannot be reached") from None
        if response.status == _TOO_MANY:
            raise throttled(service, response)
        if response.status >= _SERVER_ERROR:
            detail = f"{service} responded with an internal error (HTTP {response.status})"
            raise NotMinted(VerificationCode.UNREACHABLE, detail, retry_after=retry_after(response))
        return response

    def post_form(self, url: str, form: Sequence[tuple[str, str]], *, service: str) -> HttpResponse:
        """Send a form, as OAuth 2.0 specifies it (RFC 6749), and return the response."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.post(url, urlencode(form).encode(), headers, service=service)
