"""The only proof that a login may pull an image: asking for its manifest, without loading it.

A token server's answer is none: one that denies a scope says 200 all the same, with a token that opens less
(`docs/reference/registry-login.md`, "Image probe").
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

PROBE_REQUESTS = 8  # two tokens, HEAD, GET; and without the login two HEADs, a token, HEAD
MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)
_REFUSALS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
_SHOWN = 100  # characters of a repository in a sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """The image that a good login is tried on. `push`: it is declared to be for pushing too."""

    image: ImageReference
    push: bool

    @property
    def shown(self) -> str:
        """The repository as it stands in a sentence."""
        return self.image.repository[:_SHOWN]


def manifest_path(image: ImageReference) -> str:
    """Where a registry has the image's manifest. A digest, where there is one, decides what is pulled."""
    return f"/v2/{image.repository}/manifests/{image.digest or image.tag}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryAccess:
    """How a login got in at the registry whose URL is `base`; `token_server` is `None` for Basic."""

    authorizer: Authorizer
    base: str
    token_server: TokenServer | None
    provider: Provider


def run_probe(access: RegistryAccess, probe: Probe) -> ProbeResult:
    """What becomes of the image. Raises `LoginNotTried`."""
    authorizer, server, provider = access.authorizer, access.token_server, access.provider
    may_push: bool | None = None
    if server is None:
        headers = authorizer.basic()
    else:
        response, may_push = _scoped(authorizer, server, probe)
        if response.status in _REFUSALS:
            detail = f"the token server gives it none for {probe.shown} (HTTP {response.status})"
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
        # HEAD has no body, and only the error's code tells a missing tag from a hidden repository.
        response = authorizer.session.request("GET", url, headers=headers)
    if response.status in _REFUSALS:
        detail = f"the registry does not let it read {probe.shown} (HTTP {response.status})"
        return _probed(probe, VerificationCode.NO_PULL_ACCESS, detail)
    if response.status == HTTPStatus.OK:
        return _with_push(probe, f"it may pull {probe.shown}", may_push)
    if response.status == HTTPStatus.NOT_FOUND and first_code(response) == "manifest_unknown":
        return _with_push(probe, f"it may read {probe.shown}, which has no such image", may_push)
    if response.status == HTTPStatus.NOT_FOUND:
        detail = f"the registry shows it no {probe.shown}: it is not there, or hidden from it"
        return _probed(probe, VerificationCode.NO_PULL_ACCESS, detail)
    return _inconclusive(response, probe, provider=provider, by="registry")


def requires_login(access: RegistryAccess, probe: Probe) -> bool:
    """Whether the registry refuses the image to who comes without a login. Raises `LoginNotTried`."""
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
    """The token server's answer, and whether pushing was refused there; `None`: that is not known yet."""
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
        return _probed(probe, None, f"{found}; whether it may push cannot be told without pushing")
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
        return _probed(probe, verdict.code, f"it could not be tried on {probe.shown}: {verdict.detail}")
    unknown = f"whether it may pull {probe.shown} could not be told (HTTP {response.status} of the {by})"
    return _probed(probe, VerificationCode.UNVERIFIABLE, unknown)


def _probed(probe: Probe, code: VerificationCode | None, detail: str) -> ProbeResult:
    return ProbeResult(image=probe.image, code=code, detail=detail)
