"""Addresses of web sites that users enter in place of a registry."""

import pytest

from registries.catalogue import registry_host_for
from registries.errors import InvalidHost, InvalidReference, InvalidRegistry
from registries.hosts import parse_config_key
from registries.image_filter import canonical_filter
from registries.image_reference import ImageReference
from registries.whole_registry import WholeRegistry
from registries.whole_repository import WholeRepository

ECR = "ACCOUNT.dkr.ecr.REGION.amazonaws.com or public.ecr.aws"
WEBSITES = [
    ("hub.docker.com", "docker.io"),
    ("https://HUB.docker.com:443/r/acme/shop", "docker.io"),
    ("https://hub.docker.com?q=x", "docker.io"),
    ("app.docker.com", "docker.io"),
    ("https://github.com/orgs/x/packages", "ghcr.io"),
    ("https://gitlab.com/acme/shop/container_registry", "registry.gitlab.com"),
    ("https://console.cloud.google.com/artifacts?project=x", "gcr.io or LOCATION-docker.pkg.dev"),
    ("https://eu-west-1.console.aws.amazon.com/ecr/repositories", ECR),
    ("api.ecr.eu-west-1.amazonaws.com", ECR),
    ("portal.azure.com/#home", "NAME.azurecr.io"),
    ("cloud.digitalocean.com/registry", "registry.digitalocean.com"),
]


@pytest.mark.parametrize(("text", "registry"), WEBSITES)
def test_a_website_is_no_registry(text: str, registry: str) -> None:
    with pytest.raises(InvalidRegistry) as refusal:
        registry_host_for("custom", text, None)
    assert (refusal.value.pointer, refusal.value.code) == ("/registry_url", "not_a_registry")
    assert refusal.value.detail.endswith(f"the registry is {registry}")
    with pytest.raises(InvalidHost):
        WholeRegistry.parse(text)
    with pytest.raises(InvalidHost):
        parse_config_key(text)


@pytest.mark.parametrize(
    "image", ["hub.docker.com/acme/shop", "github.com/acme/app", "gitlab.com:443/acme/app"]
)
def test_a_website_has_no_images(image: str) -> None:
    for parse in (ImageReference.parse, WholeRepository.parse, canonical_filter):
        with pytest.raises(InvalidReference) as refusal:
            parse(image)
        assert refusal.value.code == "not_a_registry"


@pytest.mark.parametrize(
    "host",
    [
        "registry.hub.docker.com",
        "quay.io",
        "codeberg.org",
        "docker.pkg.github.com",
        "git.example.com",
        "dhi.io",
    ],
)
def test_registries_are_accepted(host: str) -> None:
    assert registry_host_for("custom", host, None)[0]
    assert ImageReference.parse(f"{host}/acme/shop").repository == "acme/shop"


def test_images_of_events_are_read() -> None:
    """0.9.0 stored images of these hosts."""
    assert ImageReference.of_event("hub.docker.com/acme/shop:1").registry_host == "hub.docker.com"
