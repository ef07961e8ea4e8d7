"""Reads a registry with a login: the tags of a repository, and the manifest of an image.

As the protocol requires, the first request has no login. The response to the challenge obeys the same rules
as a login (addresses, realm, limits). Redirects are not followed, and nothing is stored.

    RegistryError
    ├── RegistryRefused       the registry responded, but not with the requested content
    ├── RegistryUnreachable   the registry is not allowed, does not exist, or did not respond in time
    └── RepositoryNotFound    the repository does not exist, or is hidden from this login
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
from registries.dialer.errors import Blocked, LoginNotTried, LoginTooLarge, Unreachable
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

BODY_BYTES = 4 * 1024 * 1024  # the largest manifest that registries accept
_MAX_SCOPE = 1024


class RegistryError(Exception):
    """The message is for users, and contains nothing that a registry sent."""


class RegistryRefused(RegistryError):
    """The registry refused to return the content.

    `retry_after` is in seconds, if the registry says when to try again. `code` is the verdict on the login,
    if the refusal is about the login and not about the content.
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
class RegistryAccount:
    """A login at the registry with this canonical host."""

    registry_host: str
    provider: str
    login: RegistryLogin


@dataclass(frozen=True, slots=True, kw_only=True)
class Browser:
    """Reads registries under the operator's policy.

    Each method takes at most `deadline_seconds`, and raises `RegistryError`.
    """

    policy: NetworkPolicy
    deadline_seconds: float
    tls: ssl.SSLContext
    resolver: Resolver = system_resolver

    def tags(self, account: RegistryAccount, repository: str, *, limit: int, after: str | None) -> TagPage:
        """A page of at most `limit` tags.

        `after` is the `next` of the page before, `None` for the first page.

        Raises:
            InvalidTagCursor: `after` is not from an earlier page.
        """
        path = f"/v2/{quote(repository)}/tags/list?{tag_query(limit, after)}"
        response = self._read(account, path, repository, accept="application/json")
        if response.status == HTTPStatus.NOT_FOUND:
            raise RepositoryNotFound("the repository does not exist, or is hidden from this login")
        page = read_tags(response, limit=limit, cursor=after)
        if page is None:
            raise RegistryRefused("the registry's list of tags cannot be read")
        return page

    def image(self, account: RegistryAccount, image: ImageReference) -> FoundImage | None:
        """The image; `None` if it does not exist, or is hidden from this login."""
        response = self._read(account, manifest_path(image), image.repository, accept=MANIFEST_TYPES)
        if response.status == HTTPStatus.NOT_FOUND:
            return None
        found = read_manifest(response) if len(response.body) < BODY_BYTES else None
        if found is None:
            raise RegistryRefused("the manifest of the image cannot be read")
        return found

    def _read(self, account: RegistryAccount, path: str, repository: str, *, accept: str) -> HttpResponse:
        """The response to a GET request. Its status is 200 or 404."""
        host = api_host(account.registry_host)
        provider = provider_or_custom(account.provider)
        base = f"{self.policy.scheme_for(host)}://{host}"
        deadline = Deadline(self.deadline_seconds, monotonic)
        dialer = Dialer(self.policy, deadline, self.resolver)
        try:
            with HttpSession(dialer, deadline, self.tls, body_bytes=BODY_BYTES) as session:
                authorizer = Authorizer(session, account.login)
                headers = {"Accept": accept}
                response = session.request("GET", base + path, headers=headers)
                authorization: Mapping[str, str] = {}
                if response.status == HTTPStatus.UNAUTHORIZED:
                    authorization = self._authorization(authorizer, response, base, repository, provider)
                    response = session.request("GET", base + path, headers={**headers, **authorization})
        except (Blocked, Unreachable):
            # The same message for both, so that callers cannot find out which hosts exist in a private
            # network.
            raise RegistryUnreachable("regcred cannot connect to the registry") from None
        except LoginTooLarge as error:
            raise RegistryRefused(str(error)) from None
        except LoginNotTried as error:
            raise RegistryUnreachable(f"the request to the registry failed: {error}") from None
        if response.status not in (HTTPStatus.OK, HTTPStatus.NOT_FOUND):
            of_login = authorization.get("Authorization", "").startswith("Basic ")
            raise _refusal(response, provider, by="registry", of_login=of_login)
        return response

    def _authorization(
        self, authorizer: Authorizer, response: HttpResponse, base: str, repository: str, provider: Provider
    ) -> Mapping[str, str]:
        """The header that the challenge of the registry requires."""
        challenge = choose(parse_challenges(response.all("www-authenticate")))
        if challenge is None:
            raise RegistryRefused("the registry requires a login, but does not say of which kind")
        if challenge.scheme == "basic":
            if authorizer.login.password is None:
                raise RegistryRefused("an identity token needs a token server, and the registry has none")
            return authorizer.basic()
        server = TokenServer.of(challenge, registry_url=f"{base}/v2/", policy=self.policy)
        token_response = authorizer.ask(server, _scope(challenge.parameters.get("scope", ""), repository))
        if token_response.status != HTTPStatus.OK:
            raise _refusal(token_response, provider, by="token server", of_login=True)
        return bearer(read_token(token_response))


def _scope(requested: str, repository: str) -> str:
    """The scope that the registry asks for if it is for this repository, otherwise `pull`.

    Azure asks for `metadata_read` to list tags.
    """
    own = f"repository:{repository}:"
    return requested if requested.startswith(own) and len(requested) <= _MAX_SCOPE else f"{own}pull"


def _refusal(
    response: HttpResponse, provider: Provider, *, by: Literal["registry", "token server"], of_login: bool
) -> RegistryError:
    """The error for a response that refuses a request.

    `of_login`: the request contained username and secret, so 401 is about them. 403 may be about the
    repository only.
    """
    verdict = refused(response, provider=provider, by=by)
    if verdict.code is VerificationCode.UNREACHABLE:
        return RegistryUnreachable(verdict.detail)
    if verdict.code is VerificationCode.RATE_LIMITED:
        return RegistryRefused(verdict.detail, verdict.retry_after, verdict.code)
    if response.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        code = verdict.code if of_login and response.status == HTTPStatus.UNAUTHORIZED else None
        return RegistryRefused(
            f"the {by} does not allow this login to read it (HTTP {response.status})", code=code
        )
    return RegistryRefused(verdict.detail, verdict.retry_after)
