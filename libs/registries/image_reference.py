"""Image references, parsed once, so that one image has one spelling everywhere.

    reference   := [ registry "/" ] path [ ":" tag ] [ "@" digest ]
    registry    := as in `registries.hosts`; it is one if it holds `.` or `:`, or is `localhost`
    path        := component [ "/" component ]*       lower case, 255 characters at most
    tag         := [A-Za-z0-9_][A-Za-z0-9_.-]{0,127}
    digest      := sha256 | sha384 | sha512 ":" lower-case hex of its length

The grammar is that of distribution/reference (`docker pull` takes the same). Without a registry the image is
Docker Hub's, and there a path of one component is below `library/`. `latest` is the tag where there is
neither tag nor digest; where there are both, the digest decides what is pulled.

Two rules are ours. All names of Docker Hub are one (`canonical_host`). And a first component with an
upper-case letter that is no host otherwise (`Acme/app`) is refused, where distribution takes it for a host:
no registry can be reached under such a name, and what was meant is a lower-case repository.
"""

import re
from dataclasses import dataclass
from typing import NoReturn

from registries.errors import InvalidHost, InvalidReference
from registries.hosts import DOCKER_HUB, canonical_host
from registries.repository_names import REPOSITORY_NAME

DEFAULT_TAG = "latest"
_OFFICIAL = "library/"  # where Docker Hub keeps the images without an owner
_MAX_REPOSITORY = 255
_MAX_TEXT = 1024  # above the longest reference

_REPOSITORY = re.compile(REPOSITORY_NAME)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_IMAGE_ID = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReference:
    """An image in its one spelling, made by `parse`; `str()` gives the canonical text, which reads back.

    `registry_host` is canonical (`docker.io`, `reg.example.com:5000`); there is a tag, a digest, or both.
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
        """Read a reference as people write it: `nginx`, `acme/shop:1`, `reg.example.com:5000/shop@sha256:…`.

        `pointer` is where it stands in the request.

        Raises:
            InvalidReference: it is something else. The detail repeats nothing of the text.
        """
        try:
            return _parse(text)
        except InvalidHost as error:
            raise InvalidReference(error.code, f"the registry: {error.detail}", pointer) from None
        except InvalidReference as error:
            raise InvalidReference(error.code, error.detail, pointer) from None


def canonical_image(image: str) -> str:
    """As it stands in the log; what is no reference (such as `ghcr.io/*`) is looked for as it is."""
    try:
        return str(ImageReference.parse(image))
    except InvalidReference:
        return image


def _parse(text: str) -> ImageReference:
    if not text or len(text) > _MAX_TEXT:
        _refuse(
            "invalid_reference", "an image is expected, such as nginx:1.27 or registry.example.com/team/app"
        )
    if " " in text or not text.isprintable():  # every other white space is not printable
        _refuse("invalid_reference", "an image reference has no spaces, line breaks or control characters")
    if _SCHEME.match(text):
        _refuse(
            "scheme_not_allowed",
            "an image reference has no scheme: leave out https://, docker:// and the like",
        )
    if _IMAGE_ID.fullmatch(text):
        _refuse(
            "image_id", "64 hexadecimal digits are the id of an image, not a reference that can be pulled"
        )
    name, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        _refuse(
            "invalid_digest", "after the @ a digest is expected: sha256: and 64 lower-case hexadecimal digits"
        )
    host, rest = _split_host(name)
    repository, colon, tag = rest.partition(":")
    if colon and not _TAG.fullmatch(tag):
        _refuse("invalid_tag", "a tag has 1 to 128 letters, digits, dots, hyphens or underscores")
    if host == DOCKER_HUB and "/" not in repository:
        repository = _OFFICIAL + repository
    if repository != repository.lower():
        _refuse("uppercase", "the name of a repository is all lower case")
    if len(repository) > _MAX_REPOSITORY or not _REPOSITORY.fullmatch(repository):
        _refuse(
            "invalid_repository",
            "a repository has lower-case letters and digits, separated by one of . _ __ - and by slashes, "
            f"{_MAX_REPOSITORY} characters at most",
        )
    return ImageReference(
        registry_host=host,
        repository=repository,
        tag=tag if colon else None if at else DEFAULT_TAG,
        digest=digest if at else None,
    )


def _split_host(name: str) -> tuple[str, str]:
    """(canonical host, the rest). What cannot be a host is a namespace of Docker Hub."""
    first, slash, rest = name.partition("/")
    if not slash or not (first == "localhost" or "." in first or ":" in first):
        return DOCKER_HUB, name
    return canonical_host(first), rest


def _refuse(code: str, detail: str) -> NoReturn:
    raise InvalidReference(code, detail)
