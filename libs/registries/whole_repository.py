"""A request for all images of a repository.

It comes from clients that know the repository and not the tag, such as the kubelet and go-containerregistry.
"""

from dataclasses import dataclass

from registries.errors import InvalidReference
from registries.image_reference import ImageReference


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeRepository:
    """All images of a repository. `str()` returns `ghcr.io/acme/shop`, without a tag."""

    registry_host: str
    repository: str

    def __str__(self) -> str:
        return f"{self.registry_host}/{self.repository}"

    @classmethod
    def parse(cls, text: str, pointer: str = "/repository") -> "WholeRepository":
        """Read a repository as it is written in an image reference: `ghcr.io/acme/shop`, `nginx`.

        Raises:
            InvalidReference: the text is something else. The detail contains nothing of the text.
        """
        image = ImageReference.parse(text, pointer)
        if image.digest is not None or ":" in text.rpartition("/")[2]:
            detail = "enter a repository without tag and digest; an image with a tag belongs in images"
            raise InvalidReference("tag_not_allowed", detail, pointer)
        return cls(registry_host=image.registry_host, repository=image.repository)
