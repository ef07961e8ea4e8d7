"""A registry as a whole: what a client asks about that knows hosts and no repositories, as Docker's
credential helpers do.
"""

from dataclasses import dataclass
from typing import ClassVar

from registries.hosts import canonical_host, parse_registry_url


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeRegistry:
    """Any image of a registry. `str()` gives `ghcr.io/*`, which can be no image's spelling."""

    registry_host: str
    repository: ClassVar[str] = ""  # below no prefix

    def __str__(self) -> str:
        return f"{self.registry_host}/*"

    @classmethod
    def parse(cls, text: str) -> "WholeRegistry":
        """Read a host as clients write it: `ghcr.io`, `https://index.docker.io/v1/`.

        Raises:
            InvalidHost: it is something else.
        """
        host, _ = parse_registry_url(text)
        return cls(registry_host=canonical_host(host))
