"""The parser of image references. It gives each image one canonical spelling.

    reference   := [ registry "/" ] path [ ":" tag ] [ "@" digest ]
    registry    := as in `registries.hosts`; it contains `.` or `:`, or is `localhost`
    path        := component [ "/" component ]*       lower case, 255 characters at most
    tag         := [A-Za-z0-9_][A-Za-z0-9_.-]{0,127}
    digest      := sha256 | sha384 | sha512 ":" lower-case hex of its length

The grammar is that of distribution/reference, as for `docker pull`. Without a registry, the image is on
Docker Hub, where a path of one component is below `library/`. Without tag and digest, the tag is `latest`.
With both, the digest decides which image is pulled.

Two rules differ. All names of Docker Hub are replaced by one (`canonical_host`). A first component with an
upper-case letter that does not look like a host otherwise (`Acme/app`) is refused. distribution treats it as
a host, but no registry has such a name, and the user means a lower-case repository.
"""

import re
from dataclasses import dataclass
from typing import NoReturn

from registries.errors import InvalidHost, InvalidReference
from registries.hosts import DOCKER_HUB, DOCKER_HUB_OLD_NAME, canonical_host
from registries.repository_names import REPOSITORY_NAME
from registries.websites import refuse_website

DEFAULT_TAG = "latest"
_OFFICIAL = "library/"  # the namespace of images without an owner on Docker Hub
_MAX_REPOSITORY = 255
_MAX_TEXT = 1024  # longer than any valid reference

_REPOSITORY = re.compile(REPOSITORY_NAME)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_IMAGE_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReference:
    """A canonical image reference. `parse` creates it. `str()` returns a text that parses to the same value.

    `registry_host` is canonical (`docker.io`, `reg.example.com:5000`). There is a tag, a digest, or both.
    """

    registry_host: str
    repository: str
    tag: str | None
    digest: str | None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.registry_host}/{self.repository}{tag}{digest}"

    @classmethod
    def parse(cls, text: str, pointer: str = "/image") -> "ImageReference":
        """Read a reference as users write it: `nginx`, `acme/shop:1`, `reg.example.com:5000/shop@sha256:…`.

        `pointer` is the JSON pointer of the text in the request.

        Raises:
            InvalidReference: the text is not a reference. The detail contains nothing of the text.
        """
        try:
            image = _parse(text)
            refuse_website(image.registry_host)
        except InvalidHost as error:
            raise InvalidReference(error.code, f"in the registry: {error.detail}", pointer) from None
        except InvalidReference as error:
            raise InvalidReference(error.code, error.detail, pointer) from None
        return image

    @classmethod
    def of_event(cls, text: str) -> "ImageReference":
        """Read a canonical reference of an event. Its host may be a web site: 0.9.0 accepted these."""
        return _parse(text)


def name_as_written(text: str, canonical: str) -> str | None:
    """The name by which clients look up an image, where its user writes the host in a spelling of its own.

    `text` is a valid reference, and `canonical` its canonical host. The name has no tag and no digest. It is
    `None` if clients look up the canonical name: they change `nginx` and `index.docker.io/nginx` themselves,
    but neither `registry.hub.docker.com/acme/shop` nor `reg.example.com:443/shop`.
    """
    name, _, _ = text.partition("@")
    first, slash, _ = name.partition("/")
    if not slash or not _is_host(first) or first in {canonical, DOCKER_HUB, DOCKER_HUB_OLD_NAME}:
        return None
    path, slash, last = name.rpartition("/")
    return path + slash + last.partition(":")[0]


def _parse(text: str) -> ImageReference:
    if not text or len(text) > _MAX_TEXT:
        _refuse("invalid_reference", "enter an image, such as nginx:1.27 or registry.example.com/team/app")
    if " " in text or not text.isprintable():  # other white space is not printable
        _refuse(
            "invalid_reference",
            "an image reference must not contain spaces, line breaks or control characters",
        )
    if _SCHEME.match(text):
        _refuse(
            "scheme_not_allowed",
            "an image reference has no scheme; omit https://, docker:// and similar prefixes",
        )
    if _IMAGE_ID.fullmatch(text):
        _refuse(
            "image_id", "64 hexadecimal digits are the id of an image, not a reference that can be pulled"
        )
    name, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        _refuse("invalid_digest", "the digest after @ must be sha256: and 64 lower-case hexadecimal digits")
    host, rest = _split_host(name)
    repository, colon, tag = rest.partition(":")
    if colon and not _TAG.fullmatch(tag):
        _refuse("invalid_tag", "a tag has 1 to 128 letters, digits, dots, hyphens or underscores")
    if host == DOCKER_HUB and "/" not in repository:
        repository = _OFFICIAL + repository
    if repository != repository.lower():
        _refuse("uppercase", "the name of a repository must be in lower case")
    if len(repository) > _MAX_REPOSITORY or not _REPOSITORY.fullmatch(repository):
        _refuse(
            "invalid_repository",
            "the name of a repository has lower-case letters and digits, separated by . _ __ - or slashes, "
            f"and at most {_MAX_REPOSITORY} characters",
        )
    return ImageReference(
        registry_host=host,
        repository=repository,
        tag=tag if colon else None if at else DEFAULT_TAG,
        digest=digest if at else None,
    )


def _split_host(name: str) -> tuple[str, str]:
    """The canonical host and the remaining text.

    A first component that cannot be a host is a namespace of Docker Hub.
    """
    first, slash, rest = name.partition("/")
    if not slash or not _is_host(first):
        return DOCKER_HUB, name
    return canonical_host(first), rest


def _is_host(first_component: str) -> bool:
    return first_component == "localhost" or "." in first_component or ":" in first_component


def _refuse(code: str, detail: str) -> NoReturn:
    raise InvalidReference(code, detail)
