"""Splits the name of an image. The API checks whether the complete name is a valid reference.

The rules are those of distribution/reference. The first component is a host if it contains `.` or `:` or is
`localhost`. An image without a host is on Docker Hub, where a name of one component is below `library/`.
"""

import ipaddress
import re
from dataclasses import dataclass

DOCKER_HUB = "docker.io"
_HUB_ALIASES = {DOCKER_HUB, "index.docker.io", "registry-1.docker.io", "registry.hub.docker.com"}
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")


@dataclass(frozen=True, slots=True)
class ImageName:
    """The parts of an image name. `registry_host` has the canonical form of the API."""

    registry_host: str
    repository: str
    tag: str | None
    digest: str | None


def image_name(text: str) -> ImageName:
    """Split an image name such as `nginx`, `acme/shop:1` or `reg.example.com:5000/shop@sha256:…`.

    Raises:
        ValueError: `text` is not an image name. The message does not quote it.
    """
    if "://" in text:
        raise ValueError("an image reference has no scheme: remove https://, docker:// and the like")
    name, _, digest = text.partition("@")
    first, slash, rest = name.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        host = _host(first)
    else:
        host, rest = DOCKER_HUB, name
    repository, _, tag = rest.partition(":")
    if host == DOCKER_HUB and "/" not in repository:
        repository = f"library/{repository}"
    if repository != repository.lower():
        raise ValueError("the name of a repository must be in lower case")
    if not _REPOSITORY.fullmatch(repository):
        raise ValueError("an image is expected, such as nginx:1.27 or registry.example.com/team/app")
    return ImageName(host, repository, tag or None, digest or None)


def _host(text: str) -> str:
    """Canonical form of a host: lower case, ASCII, no port 443, `docker.io` for all names of Docker Hub."""
    try:
        host = text.lower() if text.isascii() else text.lower().encode("idna").decode()
        host = host.removesuffix(":443")
        if host.startswith("["):
            address, _, port = host[1:].partition("]")
            host = f"[{ipaddress.IPv6Address(address).compressed}]{port}"
    except ValueError:
        raise ValueError("the part before the first slash is not a valid registry host") from None
    return DOCKER_HUB if host in _HUB_ALIASES else host
