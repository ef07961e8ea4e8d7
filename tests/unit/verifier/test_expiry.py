"""The expiry of secrets, and the times of its notices."""

import base64
import json
from datetime import UTC, datetime, timedelta

import jwt
import pytest

from chassis.secret import Secret
from registries.logins.cloud_keys import AwsKeys
from registries.logins.registry_login import RegistryLogin
from verifier.expiry import next_notice, notice_due, token_expiry

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def login(password: str) -> RegistryLogin:
    return RegistryLogin(username="octo", password=Secret(password))


def token(**claims: object) -> str:
    return jwt.encode(claims, "k" * 32, "HS256")


def unsigned(claims: object) -> str:
    def part(document: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none'})}.{part(claims)}."


def test_the_expiry_of_a_jwt_is_read() -> None:
    assert token_expiry(login(token(exp=1_790_000_000))) == datetime.fromtimestamp(1_790_000_000, UTC)
    identity = RegistryLogin(username="<token>", identity_token=Secret(token(exp=1_790_000_000)))
    assert token_expiry(identity) == datetime.fromtimestamp(1_790_000_000, UTC)


@pytest.mark.parametrize(
    "password",
    [
        "",
        "dckr_pat_abc",
        "eyJ.x.y",
        "eyJhbGciOiJub25lIn0.e30.",
        token(sub="octo"),
        token(exp=1),
        unsigned({"exp": 10**12}),
        unsigned({"exp": 10**400}),
        unsigned({"exp": "soon"}),
        unsigned({"exp": [1]}),
        unsigned([1]),
        unsigned({"exp": None}),
        "eyJ" + "[" * 100_000 + "..",
    ],
)
def test_a_password_that_is_not_a_jwt_has_no_expiry(password: str) -> None:
    assert token_expiry(login(password)) is None


def test_cloud_keys_have_no_expiry() -> None:
    assert (
        token_expiry(AwsKeys(access_key_id="AKIA", secret_access_key=Secret(token(exp=1_790_000_000))))
        is None
    )


@pytest.mark.parametrize(
    ("before", "due"),
    [
        (timedelta(days=31), None),
        (timedelta(days=30), 30),
        (timedelta(days=8), 30),
        (timedelta(days=7), 7),
        (timedelta(days=2), 7),
        (timedelta(hours=24), 1),
        (timedelta(seconds=1), 1),
        (timedelta(0), 0),
        (timedelta(days=-400), 0),
    ],
)
def test_the_closest_notice_is_due(before: timedelta, due: int | None) -> None:
    assert notice_due(NOW + before, NOW) == due


def test_each_notice_is_due_once() -> None:
    end, at, notices = NOW + timedelta(days=45), NOW, []
    moment = next_notice(end, at)
    while moment is not None:
        at = moment
        notices.append((notice_due(end, at), end - at))
        moment = next_notice(end, at)
    assert notices == [(days, timedelta(days=days)) for days in (30, 7, 1, 0)]


def test_a_near_expiry_has_one_notice_at_once() -> None:
    end = NOW + timedelta(days=3)
    assert notice_due(end, NOW) == 7
    assert next_notice(end, NOW) == NOW + timedelta(days=2)
