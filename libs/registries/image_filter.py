"""A filter for the images of the audit trail. Pure.

A reference with a tag finds this image, with and without a digest; one with a digest finds this text; a
repository finds every image of it, and `ghcr.io/*` the requests for a whole registry. Clients that do not say
the tag, such as the kubelet, are recorded with the repository alone. They may have pulled the tag `latest`,
so a filter for that finds them, too.
"""

from dataclasses import dataclass

from registries.errors import InvalidHost, InvalidReference
from registries.image_reference import DEFAULT_TAG, ImageReference
from registries.whole_registry import WholeRegistry
from registries.whole_repository import WholeRepository

_ALL = "/*"


@dataclass(frozen=True, slots=True)
class ImageFilter:
    """Finds recorded images that are one of `exact`, or begin with one of `beginnings`."""

    exact: tuple[str, ...]
    beginnings: tuple[str, ...] = ()

    def finds(self, recorded: str) -> bool:
        """Whether it finds an image as events contain it."""
        return recorded in self.exact or recorded.startswith(self.beginnings)


def canonical_filter(text: str) -> str:
    """Return a filter in its canonical spelling: an image, a repository without a tag, or `ghcr.io/*`.

    Raises:
        InvalidReference: the text is something else. The detail contains nothing of it.
    """
    host, _, rest = text.rpartition("/")
    if rest == "*":
        try:
            return str(WholeRegistry.parse(host))
        except InvalidHost as error:
            raise InvalidReference(error.code, error.detail) from None
    try:
        return str(WholeRepository.parse(text))
    except InvalidReference:
        return str(ImageReference.parse(text))


def image_filter(canonical: str) -> ImageFilter:
    """Return what a filter in its canonical spelling finds."""
    directory, _, name = canonical.rpartition("/")
    repository, colon, tag = name.partition(":")
    if name == "*":
        return ImageFilter((canonical,))
    if not colon and "@" not in name:
        return ImageFilter((canonical,), (f"{canonical}:", f"{canonical}@"))
    if "@" in name:
        return ImageFilter((canonical,))
    whole = (f"{directory}/{repository}",) if tag == DEFAULT_TAG else ()
    return ImageFilter((canonical, *whole), (f"{canonical}@",))
