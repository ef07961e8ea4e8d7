"""Looking around in a registry with a login: the tags of a repository, and what an image is.

A request is made without the login first, as registries want it; what they then ask for is answered by the
same rules as in a login (addresses, realm, budgets). No redirect is followed, and nothing is kept.

    RegistryError
    ├── RegistryRefused       it answered, and not with what was asked for
    ├── RegistryUnreachable   it could not be asked: not allowed, not there, or not in time
    └── RepositoryNotFound    it knows no such repository, or shows this login none
"""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from time import monotonic
from typing import Literal
from urllib.parse import quote

from contracts.verdicts import VerificationCode
from registries.catalogue import provider_or_custom
from registries.dialer.addresses import NetworkPolicy
from registries.dialer.connection import Deadline
from registries.dialer.dialer import Dialer, Resolver, system_resolver
from registries.dialer.errors import Blocked, LoginNotTried, Unreachable
from registries.dialer.response import HttpResponse
from registries.dialer.session import HttpSession
from registries.hosts import api_host
from registries.image_reference import ImageReference
from registries.logins.registry_login import RegistryLogin
from registries.protocol.authorization import Authorizer, TokenServer, bearer, read_token
from registries.protocol.challenge import choose, parse_challenges
from registries.protocol.manifests import FoundImage, read_manifest
from registries.protocol.probe import MANIFEST_TYPES, manifest_path
from registries.protocol.tag_list import TagPage, read_tags, tag_query
from registries.protocol.verdict import refused
from registries.provider import Provider

BODY_BYTES = 4 * 1024 * 1024  # the largest manifest that registries take
_MAX_SCOPE = 1024


class RegistryError(Exception):
    """The message is for people, and holds nothing that a registry sent."""


class RegistryRefused(RegistryError):
    """`retry_after`: seconds, where the registry wants to be asked later. `code`: where it says something of
    the login itself, and not of what was to be read.
    """

    def __init__(
        self, detail: str, retry_after: int | None = None, code: VerificationCode | None = None
    ) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
        self.code = code


class RegistryUnreachable(RegistryError):
    pass


class RepositoryNotFound(RegistryError):
    pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """A login at the registry of that canonical host."""

    registry_host: str
    provider: str
    login: RegistryLogin


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """Reads registries under the operator's policy. Every method takes `deadline_seconds` at most, and raises
    `RegistryError`.
    """

    policy: NetworkPolicy
    deadline_seconds: float
    tls: ssl.SSLContext
    resolver: Resolver = system_resolver

    def tags(self, account: Account, repository: str, *, limit: int, after: str | None) -> TagPage:
        """Tags of a repository, as many as `limit`, behind what an earlier page gave as its `next`.

        Raises:
            InvalidPlace: no earlier page can have given `after`.
        """
        path = f"/v2/{quote(repository)}/tags/list?{tag_query(limit, after)}"
        response = self._read(account, path, repository, accept="application/json")
        if response.status == HTTPStatus.NOT_FOUND:
            raise RepositoryNotFound("the registry knows no such repository, or hides it from this login")
        page = read_tags(response, limit=limit, cursor=after)
        if page is None:
            raise RegistryRefused("the registry's list of tags cannot be understood")
        return page

    def image(self, account: Account, image: ImageReference) -> FoundImage | None:
        """What the image is; `None` where the registry shows this login none of that name."""
        response = self._read(account, manifest_path(image), image.repository, accept=MANIFEST_TYPES)
        if response.status == HTTPStatus.NOT_FOUND:
            return None
        found = read_manifest(response) if len(response.body) < BODY_BYTES else None
        if found is None:
            raise RegistryRefused("the image's manifest cannot be understood")
        return found

    def _read(self, account: Account, path: str, repository: str, *, accept: str) -> HttpResponse:
        """The answer to a GET: 200 or 404."""
        host = api_host(account.registry_host)
        provider = provider_or_custom(account.provider)
        base = f"{self.policy.scheme_for(host)}://{host}"
        deadline = Deadline(self.deadline_seconds, monotonic)
        network = Dialer(self.policy, deadline, self.resolver)
        try:
            with HttpSession(network, deadline, self.tls, body_bytes=BODY_BYTES) as session:
                authorizer = Authorizer(session, account.login)
                headers = {"Accept": accept}
                response = session.request("GET", base + path, headers=headers)
                authorization: Mapping[str, str] = {}
                if response.status == HTTPStatus.UNAUTHORIZED:
                    authorization = self._authorization(authorizer, response, base, repository, provider)
                    response = session.request("GET", base + path, headers={**headers, **authorization})
        except (Blocked, Unreachable):
            # One answer for both: whoever may ask must not learn what listens where.
            raise RegistryUnreachable("the registry cannot be reached from here") from None
        except LoginNotTried as error:
            raise RegistryUnreachable(f"the registry cannot be asked: {error}") from None
        if response.status not in (HTTPStatus.OK, HTTPStatus.NOT_FOUND):
            of_login = authorization == authorizer.basic()
            raise _refusal(response, provider, by="registry", of_login=of_login)
        return response

    def _authorization(
        self, authorizer: Authorizer, response: HttpResponse, base: str, repository: str, provider: Provider
    ) -> Mapping[str, str]:
        """The header that the registry asks for."""
        challenge = choose(parse_challenges(response.all("www-authenticate")))
        if challenge is None:
            raise RegistryRefused("the registry asks for a login without saying which")
        if challenge.scheme == "basic":
            if authorizer.login.password is None:
                raise RegistryRefused("the registry has no token server, and an identity token needs one")
            return authorizer.basic()
        server = TokenServer.of(challenge, registry_url=f"{base}/v2/", policy=self.policy)
        token_response = authorizer.ask(server, _scope(challenge.parameters.get("scope", ""), repository))
        if token_response.status != HTTPStatus.OK:
            raise _refusal(token_response, provider, by="token server", of_login=True)
        return bearer(read_token(token_response))


def _scope(asked: str, repository: str) -> str:
    """What the registry asks for, if it is of this repository (Azure lists tags by `metadata_read`)."""
    own = f"repository:{repository}:"
    return asked if asked.startswith(own) and len(asked) <= _MAX_SCOPE else f"{own}pull"


def _refusal(
    response: HttpResponse, provider: Provider, *, by: Literal["registry", "token server"], of_login: bool
) -> RegistryError:
    """`of_login`: username and secret were in the request, so that 401 is an answer to them. 403 may be
    about the repository alone, whoever asks.
    """
    verdict = refused(response, provider=provider, by=by)
    if verdict.code is VerificationCode.UNREACHABLE:
        return RegistryUnreachable(verdict.detail)
    if verdict.code is VerificationCode.RATE_LIMITED:
        return RegistryRefused(verdict.detail, verdict.retry_after, verdict.code)
    if response.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        code = verdict.code if of_login and response.status == HTTPStatus.UNAUTHORIZED else None
        return RegistryRefused(
            f"the {by} does not let this login read that (HTTP {response.status})", code=code
        )
    return RegistryRefused(verdict.detail, verdict.retry_after)
