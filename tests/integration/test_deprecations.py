"""Requests that use something deprecated get `Deprecation` (RFC 9745) and `Sunset` (RFC 8594)."""

import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from flask import Flask

from chassis.web.deprecation import DEPRECATIONS
from chassis.web.interface import document
from tests.integration.test_imports import OCTO, account, app, send
from tests.support.servers import ROOT

__all__ = ["account", "app"]  # fixtures

POLICY = (ROOT / "docs" / "upgrading.md").read_text()
BODY = {"docker_config": {"auths": {"reg.io": OCTO}}}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({**BODY, "dry_run": True}, 200),
        ({**BODY, "dry_run": False}, 200),
        ({"docker_config": {}, "dry_run": True}, 422),
    ],
)
def test_a_deprecated_field_is_answered_with_its_end(
    app: tuple[Flask, str], account: str, body: dict[str, Any], status: int
) -> None:
    answer = send(app, account, body)
    assert answer.status_code == status, answer.text
    since = re.fullmatch(r"@([0-9]+)", answer.headers["Deprecation"])
    assert since is not None
    sunset = parsedate_to_datetime(answer.headers["Sunset"])
    assert (sunset.timestamp() - int(since[1])) / 86_400 >= 365


def test_other_requests_have_neither(app: tuple[Flask, str], account: str) -> None:
    for body in (BODY, {**BODY, "dry_run": None}):
        answer = send(app, account, body)
        assert answer.status_code == 200
        assert not {"Deprecation", "Sunset"} & set(answer.headers.keys())


def deprecated_fields(schemas: dict[str, Any]) -> Iterator[str]:
    for name, schema in schemas.items():
        for field, described in schema.get("properties", {}).items():
            if described.get("deprecated"):
                yield f"{name}.{field}"


def test_each_deprecated_field_has_an_end_that_the_policy_names() -> None:
    published = document()
    assert set(deprecated_fields(published["components"]["schemas"])) == set(DEPRECATIONS)
    assert not [
        parameter
        for path in published["paths"].values()
        for operation in path.values()
        if isinstance(operation, dict)
        for parameter in operation.get("parameters", [])
        if parameter.get("deprecated") or operation.get("deprecated")
    ]
    for deprecation in DEPRECATIONS.values():
        assert (deprecation.sunset - deprecation.since).days >= 365
        assert f"| {deprecation.since:%Y-%m-%d} | {deprecation.sunset:%Y-%m-%d} |" in POLICY
