"""The probe: a request for the manifest of an image, to find out whether the login can pull it.

The response of the token server is not sufficient: if it denies a scope, it still responds with 200 and a
token with fewer permissions (`docs/reference/registry-login.md`, "Image probe").
"""

from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

from contracts.verdicts import VerificationCode
from registries.dialer.response import HttpResponse
from registries.image_reference import ImageReference
from registries.protocol.authorization import Authorizer, TokenServer, bearer, granted_actions, read_token
from registries.protocol.verdict import ProbeResult, first_code, refused
from registries.provider import Provider

PROBE_REQUESTS = 8  # with the login: two tokens, HEAD, GET; without it: two HEADs, a token, HEAD
MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)
_REFUSALS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_SHOWN = 100  # characters of a repository's name in a message


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The image on which an accepted login is tested. `push`: the credential is for pushing, too."""

    image: ImageReference
    push: bool

    @property
    def shown(self) -> str:
        """The name of the repository, as messages contain it."""
        return self.image.repository[:_SHOWN]


def manifest_path(image: ImageReference) -> str:
    """The path of the image's manifest. If the reference has a digest, that is used and not the tag."""
    return f"/v2/{image.repository}/manifests/{image.digest or image.tag}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAccess:
    """An accepted login at the registry with the URL `base`. `token_server` is `None` for Basic."""

    authorizer: Authorizer
    base: str
    token_server: TokenServer | None
    provider: Provider


def run_probe(access: RegistryAccess, probe: Probe) -> ProbeResult:
    """Test whether the login can pull the image, and push it if `probe.push`. Raises `LoginNotTried`."""
    authorizer, server, provider = access.authorizer, access.token_server, access.provider
    may_push: bool | None = None
    if server is None:
        headers = authorizer.basic()
    else:
        response, may_push = _scoped(authorizer, server, probe)
        if response.status in _REFUSALS:
            detail = f"the token server gives the login no token for {probe.shown} (HTTP {response.status})"
            return _probed(probe, VerificationCode.NO_PULL_ACCESS, detail)
        if response.status != HTTPStatus.OK:
            return _inconclusive(response, probe, provider=provider, by="token server")
        token = read_token(response)
        granted = granted_actions(token, probe.image.repository)
        if may_push is None and granted is not None:
            may_push = bool(granted & {"push", "*"})
        headers = bearer(token)
    url = access.base + manifest_path(probe.image)
    headers = {**headers, "Accept": MANIFEST_TYPES}
    response = authorizer.session.request("HEAD", url, headers=headers)
    if response.status == HTTPStatus.NOT_FOUND:
        # A missing tag and a hidden repository differ in the error code only, and a response to HEAD has no
        # body.
        response = authorizer.session.request("GET", url, headers=headers)
    if response.status in _REFUSALS:
        detail = f"the registry does not allow the login to read {probe.shown} (HTTP {response.status})"
        return _probed(probe, VerificationCode.NO_PULL_ACCESS, detail)
    if response.status == HTTPStatus.OK:
        return _with_push(probe, f"the login can pull {probe.shown}", may_push)
    if response.status == HTTPStatus.NOT_FOUND and first_code(response) == "manifest_unknown":
        return _with_push(probe, f"the login can read {probe.shown}, which has no such image", may_push)
    if response.status == HTTPStatus.NOT_FOUND:
        detail = f"{probe.shown} does not exist, or is hidden from the login"
        return _probed(probe, VerificationCode.NO_PULL_ACCESS, detail)
    return _inconclusive(response, probe, provider=provider, by="registry")


def requires_login(access: RegistryAccess, probe: Probe) -> bool:
    """Whether the registry refuses the image without a login. Raises `LoginNotTried`."""
    session, url = access.authorizer.session, access.base + manifest_path(probe.image)
    headers = {"Accept": MANIFEST_TYPES}
    response = session.request("HEAD", url, headers=headers)
    if response.status == HTTPStatus.UNAUTHORIZED and access.token_server is not None:
        scope = f"repository:{probe.image.repository}:pull"
        token_response = access.authorizer.ask_without_login(access.token_server, scope)
        if token_response.status != HTTPStatus.OK:
            return token_response.status in _REFUSALS
        headers = {**headers, **bearer(read_token(token_response))}
        response = session.request("HEAD", url, headers=headers)
    return response.status in _REFUSALS


def _scoped(authorizer: Authorizer, server: TokenServer, probe: Probe) -> tuple[HttpResponse, bool | None]:
    """The response of the token server, and `False` if it refused pushing, otherwise `None`."""
    scope = f"repository:{probe.image.repository}:pull"
    if not probe.push:
        return authorizer.ask(server, scope), None
    response = authorizer.ask(server, f"{scope},push")
    if response.status not in _REFUSALS:
        return response, None
    return authorizer.ask(server, scope), False


def _with_push(probe: Probe, found: str, may_push: bool | None) -> ProbeResult:
    if not probe.push:
        return _probed(probe, None, found)
    if may_push is None:
        return _probed(probe, None, f"{found}; whether it can push is not known without a push")
    if may_push:
        return _probed(probe, None, f"{found}, and push to it")
    return _probed(
        probe, VerificationCode.NO_PUSH_ACCESS, f"{found}, but not push to it, as its scope declares"
    )


def _inconclusive(
    response: HttpResponse, probe: Probe, *, provider: Provider, by: Literal["registry", "token server"]
) -> ProbeResult:
    if response.status == HTTPStatus.TOO_MANY_REQUESTS or response.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        verdict = refused(response, provider=provider, by=by)
        detail = f"the login could not be tested on {probe.shown}: {verdict.detail}"
        return _probed(probe, verdict.code, detail)
    detail = f"the test on {probe.shown} was inconclusive (HTTP {response.status} of the {by})"
    return _probed(probe, VerificationCode.UNVERIFIABLE, detail)


def _probed(probe: Probe, code: VerificationCode | None, detail: str) -> ProbeResult:
    return ProbeResult(image=probe.image, code=code, detail=detail)
