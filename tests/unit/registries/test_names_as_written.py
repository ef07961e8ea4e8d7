"""The names that clients look up, where a user writes the host in a spelling of its own."""

import pytest

from registries.image_reference import ImageReference, name_as_written


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("nginx", None),
        ("acme/shop:1", None),
        ("docker.io/nginx", None),
        ("index.docker.io/acme/shop", None),
        ("ghcr.io/acme/shop@sha256:" + "a" * 64, None),
        ("reg.io:5000/shop:1", None),
        ("localhost/shop", None),
        ("registry.hub.docker.com/acme/shop:1", "registry.hub.docker.com/acme/shop"),
        ("registry-1.docker.io/nginx", "registry-1.docker.io/nginx"),
        ("Docker.io/acme/shop", "Docker.io/acme/shop"),
        ("ghcr.io:443/acme/shop:1@sha256:" + "a" * 64, "ghcr.io:443/acme/shop"),
        ("GHCR.io/acme/shop", "GHCR.io/acme/shop"),
        ("[0::1]:5000/shop:1", "[0::1]:5000/shop"),
    ],
)
def test_a_name_has_the_host_as_it_is_written(text: str, name: str | None) -> None:
    assert name_as_written(text, ImageReference.parse(text).registry_host) == name
