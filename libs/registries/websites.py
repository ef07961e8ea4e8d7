"""Hosts that users enter in place of a registry: web sites and APIs of the same vendor. Pure.

Only hosts are listed that serve no images. `quay.io`, `codeberg.org` and a GitLab of one's own are web site
and registry at the same time, and `registry.hub.docker.com` is a name of Docker Hub's registry.
"""

import re

from registries.errors import InvalidHost

_GOOGLE = "gcr.io or LOCATION-docker.pkg.dev"
_ECR = "ACCOUNT.dkr.ecr.REGION.amazonaws.com or public.ecr.aws"

_REGISTRY_OF = {
    **dict.fromkeys(
        (
            "docker.com",
            "www.docker.com",
            "hub.docker.com",
            "app.docker.com",
            "cloud.docker.com",
            "store.docker.com",
            "login.docker.com",
            "docs.docker.com",
            "auth.docker.io",
            "www.docker.io",
        ),
        "docker.io",
    ),
    **dict.fromkeys(("github.com", "www.github.com", "api.github.com", "npm.pkg.github.com"), "ghcr.io"),
    **dict.fromkeys(("gitlab.com", "www.gitlab.com"), "registry.gitlab.com"),
    **dict.fromkeys(
        ("console.cloud.google.com", "cloud.google.com", "artifactregistry.googleapis.com"), _GOOGLE
    ),
    **dict.fromkeys(("aws.amazon.com", "console.aws.amazon.com", "signin.aws.amazon.com"), _ECR),
    "gallery.ecr.aws": "public.ecr.aws",
    **dict.fromkeys(("portal.azure.com", "azure.microsoft.com", "management.azure.com"), "NAME.azurecr.io"),
    **dict.fromkeys(
        ("digitalocean.com", "www.digitalocean.com", "cloud.digitalocean.com", "api.digitalocean.com"),
        "registry.digitalocean.com",
    ),
    "www.quay.io": "quay.io",
    **dict.fromkeys(("catalog.redhat.com", "access.redhat.com"), "registry.redhat.io"),
    **dict.fromkeys(("ngc.nvidia.com", "catalog.ngc.nvidia.com"), "nvcr.io"),
}
# The console and the API of ECR are at hosts of their region.
_AMAZON = re.compile(r"[a-z0-9-]+\.console\.aws\.amazon\.com|(?:api\.)?ecr\.[a-z0-9-]+\.amazonaws\.com")

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_END_OF_HOST = re.compile(r"[/?#]")
_MAX_TEXT = 512


def registry_of_website(host: str) -> str | None:
    """The registry of the vendor whose web site or API this host is; `None` for every other host."""
    name = host.lower().removesuffix(":443").removesuffix(":80").removesuffix(".")
    return _ECR if _AMAZON.fullmatch(name) else _REGISTRY_OF.get(name)


def refuse_website(text: str) -> None:
    """Refuse a host or URL that names a web site, whatever its path and query.

    Raises:
        InvalidHost: `not_a_registry`. The detail names the registry.
    """
    authority = _END_OF_HOST.split(_SCHEME.sub("", text[:_MAX_TEXT], count=1), maxsplit=1)[0]
    registry = registry_of_website(authority)
    if registry is not None:
        detail = f"this is the address of a web site or API and not of a registry; the registry is {registry}"
        raise InvalidHost(detail, "not_a_registry")
