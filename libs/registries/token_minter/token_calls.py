"""Calls of the clouds' token services, by the checked dialer: no proxy, no redirect, one deadline each."""

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
    """How the token services are asked. `tls` holds the certificate authorities that are trusted."""

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
        """`https`, or `http` where the operator lists the host."""
        return self._policy.scheme_for(host)

    def post(self, url: str, body: bytes, headers: Mapping[str, str], *, service: str) -> HttpResponse:
        """One request. `service` is what the token service is called in sentences.

        Raises:
            NotMinted: there is no answer, or none about the keys (HTTP 429 and 5xx).
        """
        parts = urlsplit(url)
        if parts.scheme != "https" and self._policy.scheme_for(parts.netloc) != parts.scheme:
            raise NotMinted(VerificationCode.BLOCKED_HOST, f"{service} would have to be asked without TLS")
        deadline = Deadline(self._seconds, self._clock)
        network = Dialer(self._policy, deadline, self._resolver)
        try:
            with HttpSession(network, deadline, self._tls) as session:
                response = session.request("POST", url, headers=headers, body=body)
        except Blocked:
            detail = f"{service} has an address that may not be reached from here; the operator can allow it"
            raise NotMinted(VerificationCode.BLOCKED_HOST, detail) from None
        except TlsFailed:
            detail = f"{service} shows no certificate that is trusted here"
            raise NotMinted(VerificationCode.TLS_ERROR, detail) from None
        except LoginNotTried:
            raise NotMinted(VerificationCode.UNREACHABLE, f"{service} cannot be reached") from None
        if response.status == _TOO_MANY:
            raise throttled(service, response)
        if response.status >= _SERVER_ERROR:
            detail = f"{service} answered with an error of its own (HTTP {response.status})"
            raise NotMinted(VerificationCode.UNREACHABLE, detail, retry_after=retry_after(response))
        return response

    def post_form(self, url: str, form: Sequence[tuple[str, str]], *, service: str) -> HttpResponse:
        """The same with a form, as OAuth 2.0 wants it (RFC 6749)."""
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        return self.post(url, urlencode(form).encode(), headers, service=service)
