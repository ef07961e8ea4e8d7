"""Filters for images in the audit trail."""

import pytest

from registries.errors import InvalidReference
from registries.image_filter import canonical_filter, image_filter

DIGEST = "sha256:" + "a" * 64
RECORDED = [
    "ghcr.io/acme/shop",
    "ghcr.io/acme/shop:latest",
    "ghcr.io/acme/shop:1",
    f"ghcr.io/acme/shop@{DIGEST}",
    f"ghcr.io/acme/shop:1@{DIGEST}",
    f"ghcr.io/acme/shop:latest@{DIGEST}",
    "ghcr.io/acme/shop:11",
    "ghcr.io/acme/shop/web:1",
    "ghcr.io/acme/shop2:1",
    "ghcr.io/*",
]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ghcr.io/acme/shop", RECORDED[:7]),
        ("GHCR.io:443/acme/shop", RECORDED[:7]),
        ("ghcr.io/acme/shop:latest", [*RECORDED[:2], f"ghcr.io/acme/shop:latest@{DIGEST}"]),
        ("ghcr.io/acme/shop:1", ["ghcr.io/acme/shop:1", f"ghcr.io/acme/shop:1@{DIGEST}"]),
        (f"ghcr.io/acme/shop:1@{DIGEST}", [f"ghcr.io/acme/shop:1@{DIGEST}"]),
        (f"ghcr.io/acme/shop@{DIGEST}", [f"ghcr.io/acme/shop@{DIGEST}"]),
        ("ghcr.io/acme", []),
        ("ghcr.io/*", ["ghcr.io/*"]),
        ("https://GHCR.io/*", ["ghcr.io/*"]),
    ],
)
def test_a_filter_finds_an_image_or_all_of_a_repository(text: str, found: list[str]) -> None:
    wanted = image_filter(canonical_filter(text))
    assert [one for one in RECORDED if wanted.finds(one)] == found


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("nginx", "docker.io/library/nginx"),
        ("index.docker.io/nginx:1", "docker.io/library/nginx:1"),
        ("registry.hub.docker.com/acme/shop", "docker.io/acme/shop"),
        ("reg.io:5000/shop", "reg.io:5000/shop"),
        ("docker.io/*", "docker.io/*"),
    ],
)
def test_every_spelling_is_canonical(text: str, canonical: str) -> None:
    assert canonical_filter(text) == canonical


@pytest.mark.parametrize(
    "text", ["", "docker://nginx", "https://ghcr.io/acme/shop", "a b/*", "*", "Nginx:", "a\0b"]
)
def test_other_texts_are_refused(text: str) -> None:
    with pytest.raises(InvalidReference):
        canonical_filter(text)
