"""The audit trail shows no fingerprint of a secret, whichever release wrote the row."""

from typing import Any

import pytest

from projector.read.api.views import audit_event


def shown(action: str, before: dict[str, Any] | None, after: dict[str, Any] | None) -> dict[str, Any]:
    return audit_event(_Row(action=action, before=before, after=after))


class _Row(dict[str, Any]):
    def __missing__(self, key: str) -> None:
        return None


PRINT, OTHER = {"secret_fingerprint": "a" * 32}, {"secret_fingerprint": "b" * 32}


def test_an_addition_shows_no_fingerprint() -> None:
    event = shown("credential.added", None, PRINT | {"username": "octo"})
    assert (event["before"], event["after"]) == (None, {"username": "octo"})


@pytest.mark.parametrize(
    ("before", "after", "same"), [(PRINT, PRINT, {"same_secret": True}), (PRINT, OTHER, {}), ({}, {}, {})]
)
def test_a_rotation_shows_whether_it_brought_the_same_secret(
    before: dict[str, Any], after: dict[str, Any], same: dict[str, Any]
) -> None:
    event = shown("credential.secret_rotated", before | {"secret_version": 1}, after | {"secret_version": 2})
    assert (event["before"], event["after"]) == ({"secret_version": 1}, {"secret_version": 2} | same)
