"""A request for all repositories of a registry.

It comes from clients that know hosts only, such as Docker's credential helpers.
"""

from dataclasses import dataclass
from typing import ClassVar

from registries.hosts import canonical_host, parse_registry_url


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeRegistry:
    """All images of a registry. `str()` returns `ghcr.io/*`, which is not a valid image reference."""

    registry_host: str
    repository: ClassVar[str] = ""  # no prefix covers it

    def __str__(self) -> str:
        return f"{self.registry_host}/*"

    @classmethod
    def parse(cls, text: str) -> "WholeRegistry":
        """Read a host as clients write it: `ghcr.io`, `https://index.docker.io/v1/`.

        Raises:
            InvalidHost: the text is not a host.
        """
        host, _ = parse_registry_url(text)
        return cls(registry_host=canonical_host(host))
