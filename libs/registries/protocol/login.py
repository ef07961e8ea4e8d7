"""Verify a credential with a login, as `docker login` does it, with a more reliable result.

docker reports "Login Succeeded" whenever `/v2/` responds with 200, even without a password
(docker/for-linux#802). Here a login counts only if the registry refuses access without it. If a token server
also issues tokens without a login, the confidence is `weak`. The algorithm is in
`docs/reference/registry-login.md`, "What verifies a login".
"""

import ssl
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from time import monotonic

from contracts.verdicts import VerificationCode
from registries.catalogue import provider_or_custom
from registries.dialer.addresses import NetworkPolicy
from registries.dialer.connection import Deadline
from registries.dialer.dialer import Dialer, Resolver, system_resolver
from registries.dialer.errors import (
    BadChallenge,
    Blocked,
    BudgetExceeded,
    LoginNotTried,
    LoginTooLarge,
    NotHttp,
    TlsFailed,
    Unreachable,
)
from registries.dialer.response import HttpResponse
from registries.dialer.session import MAX_REQUESTS, HttpSession
from registries.logins.registry_login import RegistryLogin
from registries.protocol.authorization import Authorizer, TokenServer, bearer, read_token
from registries.protocol.challenge import Challenge, choose, parse_challenges
from registries.protocol.probe import (
    PROBE_REQUESTS,
    Probe,
    RegistryAccess,
    manifest_path,
    requires_login,
    run_probe,
)
from registries.protocol.verdict import ProbeResult, Verdict, refused, refuses_network
from registries.provider import AcceptedLogin, ExpiryRequest, Provider

__all__ = ["Probe", "Verdict", "log_in"]

EXPIRY_SECONDS = 3.0  # longest request for the expiry of the secret, which is optional information
OK, UNAUTHORIZED, FORBIDDEN, TOO_MANY = 200, 401, 403, 429
_CODES: Mapping[type[LoginNotTried], VerificationCode] = {
    Blocked: VerificationCode.BLOCKED_HOST,
    Unreachable: VerificationCode.UNREACHABLE,
    TlsFailed: VerificationCode.TLS_ERROR,
    NotHttp: VerificationCode.NOT_A_REGISTRY,
    BudgetExceeded: VerificationCode.BAD_CHALLENGE,
    BadChallenge: VerificationCode.BAD_CHALLENGE,
    LoginTooLarge: VerificationCode.UNVERIFIABLE,
}


def log_in(
    *,
    registry_host: str,
    api_host: str,
    login: RegistryLogin,
    provider: str,
    policy: NetworkPolicy,
    deadline_seconds: float = 15.0,
    tls: ssl.SSLContext | None = None,
    resolver: Resolver = system_resolver,
    probe: Probe | None = None,
) -> Verdict:
    """Log in once. `registry_host` is the canonical host of the registry, `api_host` the host of its API.

    An accepted login is then tested on the image of `probe`, if there is one. That does not change the
    verdict, with one exception: if the registry may accept any login, but shows the image only with this one,
    the login is verified.

    Every failure is a verdict. The call takes at most `deadline_seconds`.
    """
    deadline = Deadline(deadline_seconds, monotonic)
    dialer = Dialer(policy, deadline, resolver)
    requests = MAX_REQUESTS + (PROBE_REQUESTS if probe else 0)
    tls = tls or ssl.create_default_context()
    with HttpSession(dialer, deadline, tls, requests=requests) as session:
        base = f"{policy.scheme_for(api_host)}://{api_host}"
        protocol = _LoginProtocol(session, base, login, provider_or_custom(provider), policy)
        try:
            verdict = protocol.run()
        except LoginNotTried as error:
            return Verdict(code=_code_of(error), detail=f"{registry_host}: {error}"[:300])
        if probe and verdict.code in (None, VerificationCode.UNVERIFIABLE):
            verdict = protocol.with_probe(probe, verdict)
        if verdict.code is not None:
            return verdict
    if verdict.secret_expires_at is None and (expiry_request := protocol.expiry_request(registry_host)):
        return replace(
            verdict, secret_expires_at=_read_expiry(expiry_request, policy, deadline, tls, resolver)
        )
    return verdict


def _read_expiry(
    expiry_request: ExpiryRequest,
    policy: NetworkPolicy,
    deadline: Deadline,
    tls: ssl.SSLContext,
    resolver: Resolver,
) -> datetime | None:
    """When the secret expires; `None` if that cannot be found out within `EXPIRY_SECONDS`."""
    try:
        short = Deadline(min(EXPIRY_SECONDS, deadline.remaining()), monotonic)
        with HttpSession(Dialer(policy, short, resolver), short, tls, requests=1) as session:
            return expiry_request.expiry(
                session.request("GET", expiry_request.url, headers=expiry_request.headers)
            )
    except LoginNotTried:
        return None


def _code_of(error: LoginNotTried) -> VerificationCode:
    return next(code for kind, code in _CODES.items() if isinstance(error, kind))


class _LoginProtocol:
    def __init__(
        self, session: HttpSession, base: str, login: RegistryLogin, provider: Provider, policy: NetworkPolicy
    ) -> None:
        self._session = session
        self._authorizer = Authorizer(session, login)
        self._base = base
        self._url = f"{base}/v2/"
        self._login = login
        self._provider = provider
        self._policy = policy
        self._token_server: TokenServer | None = None
        self._secret_expires_at: datetime | None = None
        self._is_open = False

    def with_probe(self, probe: Probe, verdict: Verdict) -> Verdict:
        """The verdict of `run` with the result of the probe. The registry must not have refused the login."""
        login_required = False
        try:
            access = self._access(probe)
            if access is None:  # an identity token, and no token server
                return verdict
            if verdict.confidence == "weak" or verdict.code is VerificationCode.UNVERIFIABLE:
                login_required = requires_login(access, probe)
            if verdict.code is not None and not login_required:
                return verdict
            probed = run_probe(access, probe)
        except LoginNotTried as error:
            if verdict.code is not None:
                return verdict
            detail = f"the login could not be tested on {probe.shown}: {error}"[:300]
            probed = ProbeResult(image=probe.image, code=_code_of(error), detail=detail)
        if login_required and probed.code in (None, VerificationCode.NO_PUSH_ACCESS):
            found = f"the registry shows {probe.shown} with this login, and not without it"
            verdict = replace(verdict, code=None, confidence="strong", detail=found)
        joined = f"{verdict.detail}; {'but ' if probed.code else ''}{probed.detail}"
        return replace(verdict, probed=None if verdict.code else probed, detail=joined[:500])

    def _access(self, probe: Probe) -> RegistryAccess | None:
        """Return how to request the image. If `/v2/` needs no login, use the challenge of the manifest.

        `None` if an identity token would need a token server.
        """
        server = self._token_server
        if server is None and self._is_open:
            response = self._session.request("HEAD", self._base + manifest_path(probe.image))
            challenge = choose(parse_challenges(response.all("www-authenticate")))
            if challenge is not None and challenge.scheme == "bearer":
                server = TokenServer.of(challenge, registry_url=self._url, policy=self._policy)
        if server is None and self._login.password is None:
            return None
        return RegistryAccess(
            authorizer=self._authorizer, base=self._base, token_server=server, provider=self._provider
        )

    def expiry_request(self, registry_host: str) -> ExpiryRequest | None:
        """The request for the expiry of the secret, after an accepted login; `None` if there is none."""
        if self._provider.expiry_request is None or self._login.password is None:
            return None
        accepted = AcceptedLogin(
            registry_host=registry_host,
            username=self._login.username,
            password=self._login.password.reveal(),
            realm_url=self._token_server.realm.url if self._token_server else None,
        )
        return self._provider.expiry_request(accepted)

    def run(self) -> Verdict:
        """Log in. The verdict has the expiry of the secret if a response contained it."""
        verdict = self._run()
        if verdict.code is not None:
            return verdict
        return replace(verdict, secret_expires_at=self._secret_expires_at)

    def _run(self) -> Verdict:
        response = self._session.request("GET", self._url)
        if response.status == OK:
            self._is_open = True
            return self._open_registry(response)
        if response.status == TOO_MANY or response.status >= 500 or refuses_network(response):  # noqa: PLR2004 its own errors
            return refused(response, provider=self._provider, by="registry")
        if response.status != UNAUTHORIZED:
            return Verdict(
                code=VerificationCode.NOT_A_REGISTRY,
                detail=f"the host is not a registry (HTTP {response.status} at /v2/)",
            )
        headers = response.all("www-authenticate")
        if not headers:
            return Verdict(
                code=VerificationCode.NOT_A_REGISTRY,
                detail="the host requires a login, but does not say of which kind",
            )
        challenge = choose(parse_challenges(headers))
        if challenge is None:
            raise BadChallenge("the registry offers neither a Basic nor a Bearer login")
        return self._bearer(challenge) if challenge.scheme == "bearer" else self._basic()

    def _open_registry(self, ping: HttpResponse) -> Verdict:
        """The verdict for a registry that needs no login.

        Such a registry shows that a login is wrong by refusing it. That it accepts a login shows nothing.
        """
        if "html" in (ping.header("content-type") or ""):
            return Verdict(code=VerificationCode.NOT_A_REGISTRY, detail="the host is a web site")
        if self._login.password is not None:
            response = self._session.request("GET", self._url, headers=self._authorizer.basic())
            if response.status != OK:
                return refused(response, provider=self._provider, by="registry")
        return Verdict(
            code=VerificationCode.UNVERIFIABLE,
            detail="the registry needs no login, so the credential cannot be verified",
        )

    def _basic(self) -> Verdict:
        if self._login.password is None:
            return Verdict(
                code=VerificationCode.UNVERIFIABLE,
                detail="an identity token needs a token server, and the registry has none",
            )
        response = self._session.request("GET", self._url, headers=self._authorizer.basic())
        self._note_expiry(response)
        if response.status != OK:
            return refused(response, provider=self._provider, by="registry")
        return Verdict(code=None, detail="the registry accepted the login, and refuses access without one")

    def _note_expiry(self, response: HttpResponse) -> None:
        if self._provider.expiry_in_response is not None:
            self._secret_expires_at = self._provider.expiry_in_response(response) or self._secret_expires_at

    def _bearer(self, challenge: Challenge) -> Verdict:
        server = TokenServer.of(challenge, registry_url=self._url, policy=self._policy)
        self._token_server = server
        scopes = [None, *filter(None, [challenge.parameters.get("scope")])]
        verdict = Verdict(code=VerificationCode.BAD_CHALLENGE, detail="the registry refuses its own token")
        for scope in scopes:
            response = self._authorizer.ask(server, scope)
            self._note_expiry(response)
            if response.status != OK:
                verdict = refused(response, provider=self._provider, by="token server")
                if verdict.code is VerificationCode.BAD_CHALLENGE:
                    continue  # some servers require a scope
                return verdict
            with_token = self._session.request("GET", self._url, headers=bearer(read_token(response)))
            self._note_expiry(with_token)
            if with_token.status == OK:
                return self._accepted(server, scope)
            if with_token.status != UNAUTHORIZED:
                return refused(with_token, provider=self._provider, by="registry")
        return verdict

    def _accepted(self, server: TokenServer, scope: str | None) -> Verdict:
        """The verdict for an accepted login. A control request checks that the token server needs one."""
        if not self._provider.needs_control_login or self._login.identity_token is not None:
            return Verdict(code=None, detail="the token server accepted the login, the registry its token")
        try:
            control = self._authorizer.ask_without_login(server, scope)
        except LoginNotTried:
            control = None
        if control is not None and control.status in (UNAUTHORIZED, FORBIDDEN):
            return Verdict(
                code=None, detail="the token server accepted the login, and refuses requests without one"
            )
        doubt = "also issues tokens without one, so it may accept wrong logins too"
        if control is None or control.status != OK:
            doubt = "its response without a login was inconclusive"
        return Verdict(
            code=None, detail=f"the token server accepted the login, but {doubt}", confidence="weak"
        )
