"""A repository in place of an image is read as in an image reference, without tag and digest."""

import pytest

from registries.errors import InvalidReference
from registries.whole_repository import WholeRepository


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("ghcr.io/acme/shop", "ghcr.io/acme/shop"),
        ("GHCR.io:443/acme/shop", "ghcr.io/acme/shop"),
        ("nginx", "docker.io/library/nginx"),
        ("registry-1.docker.io/acme/shop", "docker.io/acme/shop"),
        ("[::1]:5000/shop", "[::1]:5000/shop"),
    ],
)
def test_a_repository_has_one_spelling(text: str, canonical: str) -> None:
    found = WholeRepository.parse(text)
    assert str(found) == canonical
    assert WholeRepository.parse(canonical) == found


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("ghcr.io/acme/shop:1", "tag_not_allowed"),
        ("nginx:latest", "tag_not_allowed"),
        (f"nginx@sha256:{'a' * 64}", "tag_not_allowed"),
        ("ghcr.io/Acme", "uppercase"),
        ("https://ghcr.io/acme", "scheme_not_allowed"),
        ("ghcr.io/", "invalid_repository"),
    ],
)
def test_another_text_is_refused(text: str, code: str) -> None:
    with pytest.raises(InvalidReference) as refused:
        WholeRepository.parse(text)
    assert (refused.value.code, refused.value.pointer) == (code, "/repository")
