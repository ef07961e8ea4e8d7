"""Filters find the same images in an archived segment as in the API."""

import json

import pytest

from operations.audit.segment_filter import InvalidFilter, filters_of, matches

OPTIONS = dict.fromkeys(
    "since until after action outcome actor credential_id project_id registry_host image request_id".split()  # noqa: SIM905 a row of names
)


@pytest.mark.parametrize(
    ("image", "recorded", "found"),
    [
        ("ghcr.io/acme/shop", "ghcr.io/acme/shop", True),  # without a tag, as the kubelet requests it
        ("GHCR.io/acme/shop:latest", "ghcr.io/acme/shop", True),
        ("ghcr.io/acme/shop", "ghcr.io/acme/shop:latest", True),
        ("ghcr.io/acme/shop", "ghcr.io/acme/shop:1", True),
        ("ghcr.io/acme/shop:1", "ghcr.io/acme/shop", False),
        ("ghcr.io/acme", "ghcr.io/acme/shop", False),
        ("nginx", "docker.io/library/nginx", True),
    ],
)
def test_an_image_finds_what_was_recorded_for_it(image: str, recorded: str, found: bool) -> None:
    row = {
        "position": 1,
        "time": "2026-12-01T10:00:00Z",
        "action": "secret.issued",
        "outcome": "success",
        "actor": {"id": "deployer"},
        "credential_id": None,
        "project_id": "shop",
        "registry_host": "ghcr.io",
        "images": ["reg.example.com/other:1", recorded],
        "request_id": "r-1",
    }
    assert matches(json.dumps(row).encode(), filters_of({**OPTIONS, "image": image})) is found


@pytest.mark.parametrize(
    ("name", "value"),
    [("action", "secret.isued"), ("registry_host", "no host"), ("image", "docker://nginx")],
)
def test_a_filter_that_can_find_nothing_is_refused(name: str, value: str) -> None:
    with pytest.raises(InvalidFilter):
        filters_of({**OPTIONS, name: value})


def test_a_registry_is_found_by_any_of_its_spellings() -> None:
    assert (
        filters_of({**OPTIONS, "registry_host": "https://index.docker.io/v1/"}).registry_host == "docker.io"
    )
