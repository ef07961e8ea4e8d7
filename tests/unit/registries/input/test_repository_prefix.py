"""Repository prefixes that begin with a host: that of the registry, or another one."""

import pytest

from registries.errors import InvalidPrefix
from registries.input.repository_prefix import read_prefix

GAR = "europe-west1-docker.pkg.dev"


@pytest.mark.parametrize(
    ("text", "host", "prefix"),
    [
        ("ghcr.io/acme/", "ghcr.io", "acme/"),
        ("GHCR.io:443/acme/shop", "ghcr.io", "acme/shop"),
        ("https://ghcr.io/acme/", "ghcr.io", "acme/"),
        ("registry.hub.docker.com/acme/", "docker.io", "acme/"),
        ("index.docker.io/acme", "docker.io", "acme"),
        ("reg.example.com:5000/team/", "reg.example.com:5000", "team/"),
        ("localhost:5000/team", "localhost:5000", "team"),
        ("[::1]:5000/team", "[::1]:5000", "team"),
        ("acme/", "ghcr.io", "acme/"),
        # Repositories of a registry that mirrors others, and of a project in the domain of an organisation.
        ("docker.io/library/", "mirror.example.com", "docker.io/library/"),
        ("github.com/acme/app", "reg.example.com", "github.com/acme/app"),
        ("example.com/my-project/", "gcr.io", "example.com/my-project/"),
    ],
)
def test_the_own_host_is_removed(text: str, host: str, prefix: str) -> None:
    assert read_prefix(text, host) == prefix
    assert read_prefix(prefix, host) == prefix


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("docker.io/acme/", "ghcr.io"),
        ("ghcr.io/acme/", "docker.io"),
        ("reg.example.com/acme/", "docker.io"),
        ("hub.docker.com/acme/", "docker.io"),
        ("us-docker.pkg.dev/project/", GAR),
        ("console.cloud.google.com/project/", GAR),
        ("reg.example.com/acme/", "reg.example.com:5000"),
        ("reg.example.com:5000/acme/", "reg.example.com"),
        ("other.example.com:5000/acme/", "reg.example.com"),
        ("localhost/acme", "localhost:5000"),
    ],
)
def test_another_registry_is_refused(text: str, host: str) -> None:
    with pytest.raises(InvalidPrefix) as refusal:
        read_prefix(text, host)
    assert refusal.value.code == "other_registry"
    assert host in refusal.value.detail


@pytest.mark.parametrize("text", ["ghcr.io", "ghcr.io/", "https://GHCR.io:443/"])
def test_the_registry_itself_is_refused(text: str) -> None:
    with pytest.raises(InvalidPrefix) as refusal:
        read_prefix(text, "ghcr.io")
    assert refusal.value.code == "whole_registry"


@pytest.mark.parametrize(
    "text", ["", "Acme/", "ghcr.io/Acme", "ghcr.io//acme", "ghcr.io/acme:1", "a" * 256, "é.io/x"]
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(InvalidPrefix) as refusal:
        read_prefix(text, "quay.io" if text.startswith("é") else "ghcr.io")
    assert refusal.value.code == "invalid_prefix"


def test_without_a_valid_registry_every_host_is_removed() -> None:
    assert read_prefix("ghcr.io/acme/", None) == "acme/"
    assert read_prefix("my.team", None) == "my.team"
