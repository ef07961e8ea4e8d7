"""A rollback restores the login that the last rotation replaced, while the grace of that rotation lasts."""

from dataclasses import replace
from datetime import timedelta

import psycopg
import pytest
from werkzeug.test import TestResponse

from chassis.ids import new_id
from chassis.runtime.clock import now, rfc3339
from credentials.domain.errors import FormerSecretGone
from secretstore.store import SecretPath
from tests.integration.credentials.calls import Caller, Json, at_once, secret, statuses
from tests.integration.credentials.test_rotation_grace import NOW, REQUEST, World, world
from tests.integration.credentials.test_rotation_grace import secret as login
from tests.support.timing import waiting

__all__ = ["world"]


@pytest.fixture
def account() -> str:
    return f"rollback-{new_id()}"


def _roll_back(
    caller: Caller,
    path: str,
    version: str,
    body: Json | None = None,
    *,
    key: str | None = None,
    dry_run: bool = False,
) -> TestResponse:
    query = "?dry_run=true" if dry_run else ""
    return caller.call("POST", f"{path}/secret/rollback{query}", body or {}, version, key)


def _password(caller: Caller, account: str) -> tuple[str, str]:
    """Username and password that a deployment gets."""
    body = {
        "images": ["reg.example.com/app"],
        "project_id": "shop",
        "workload": {"kind": "job", "name": "j"},
        "format": "basic",
    }
    answer = caller.call("POST", f"{account}/pull-secrets", body)
    assert answer.status_code == 200, answer.text
    found = answer.get_json()["basic"]
    return found["username"], found["password"]


def test_a_rollback_restores_the_former_login(caller: Caller, account: str) -> None:
    path = caller.added(account)
    body = {
        "credential": {"kind": "username_password", "username": "cat", "password": "wrong"},
        "expires_at": "2100-01-02T03:04:05Z",
    }
    rotated = caller.call("PUT", f"{path}/secret", body, "*")
    assert _password(caller, account) == ("cat", "wrong")

    rolled_back = _roll_back(caller, path, rotated.headers["ETag"])
    assert rolled_back.status_code == 200, rolled_back.text
    after = rolled_back.get_json()
    assert (after["username"], after["expires_at"], after["secret_version"]) == ("octo", None, 3)
    assert after["verification"]["status"] == "pending"
    assert rolled_back.headers["ETag"] == f'"{after["version"]}"'
    assert _password(caller, account) == ("octo", "old")
    assert caller.events(account)["credential.secret_rolled_back"] == 1
    assert caller.events(account)["credential.secret_rotated"] == 2
    assert caller.unreferenced_secrets(account) == 0

    again = _roll_back(caller, path, rolled_back.headers["ETag"])
    assert again.get_json()["expires_at"] == "2100-01-02T03:04:05Z"
    assert _password(caller, account) == ("cat", "wrong"), "a rollback can be rolled back"


def test_a_rollback_restores_the_former_registry_with_force_while_it_is_in_use(
    caller: Caller, account: str
) -> None:
    path = caller.added(account)
    moved = caller.call("PUT", f"{path}/secret", {**secret(), "registry_url": "other.example.com"}, "*")
    assert moved.get_json()["registry_host"] == "other.example.com"
    used = {
        "images": ["other.example.com/app"],
        "project_id": "shop",
        "workload": {"kind": "job", "name": "j"},
    }
    assert caller.call("POST", f"{account}/pull-secrets", used).status_code == 200

    refused = _roll_back(caller, path, "*")
    assert (refused.status_code, refused.get_json()["code"]) == (409, "credential_in_use")
    assert caller.unreferenced_secrets(account) == 0, "a refused rollback writes no secret"
    dry = caller.call("POST", f"{path}/secret/rollback?dry_run=true", {}, "*").get_json()
    assert (dry["dry_run"], dry["needs_force"], dry["registry_host"]) == (True, True, "reg.example.com")
    forced = caller.call("POST", f"{path}/secret/rollback?force=true&reason=wrong", {}, "*")
    assert forced.get_json()["registry_host"] == "reg.example.com"
    assert _password(caller, account) == ("octo", "old")


def test_without_a_rotation_there_is_nothing_to_roll_back(caller: Caller, account: str) -> None:
    path = caller.added(account)
    for query in ("", "?dry_run=true"):
        refused = caller.call("POST", f"{path}/secret/rollback{query}", {}, "*")
        assert (refused.status_code, refused.get_json()["code"]) == (409, "no_former_secret")


def test_after_the_grace_there_is_nothing_to_roll_back(caller: Caller, account: str) -> None:
    path = caller.added(account)
    caller.call("PUT", f"{path}/secret", {**secret(), "grace_seconds": 0}, "*")
    for query in ("", "?dry_run=true"):
        refused = caller.call("POST", f"{path}/secret/rollback{query}", {}, "*")
        assert (refused.status_code, refused.get_json()["code"]) == (410, "former_secret_gone")
    assert caller.events(account)["credential.secret_rolled_back"] == 0


def test_a_removed_credential_and_a_stale_version_are_refused(caller: Caller, account: str) -> None:
    path = caller.added(account)
    caller.rotate(path, "*")
    assert _roll_back(caller, path, '"1"').status_code == 412
    assert caller.call("POST", f"{path}/secret/rollback", {}).status_code == 428
    assert caller.remove(path, "*").status_code == 204
    assert _roll_back(caller, path, "*").status_code == 404


def test_a_repeated_rollback_has_the_first_response_and_no_effect(caller: Caller, account: str) -> None:
    path = caller.added(account)
    rotated = caller.rotate(path, "*")
    etag = rotated.headers["ETag"]
    first = _roll_back(caller, path, etag, key="once")
    second = _roll_back(caller, path, etag, key="once")
    assert (first.status_code, second.status_code) == (200, 200)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.get_json() == first.get_json()
    assert _password(caller, account) == ("octo", "old")
    other = _roll_back(caller, path, etag, {"grace_seconds": 60}, key="once")
    assert (other.status_code, other.get_json()["code"]) == (422, "idempotency_key_reused")


def test_the_end_of_the_grace_destroys_no_secret_in_use(world: World) -> None:
    credential_id = world.rotated(timedelta(minutes=1))
    world.credentials.rotations.roll_back(REQUEST, credential_id, None, grace=timedelta(0))
    world.run_housekeeping()
    world.sweep()
    assert world.readable(credential_id) == [1, 3], "the refused secret is destroyed at once"
    with psycopg.connect(world.database_url, autocommit=True) as owner:
        needed = [
            owner.execute("SELECT credentials.needs_secret(%s, %s)", (credential_id, version)).fetchone()
            for version in (1, 2, 3)
        ]
    assert needed == [(True,), (False,), (True,)]
    path = SecretPath("acme", credential_id)
    restored = world.secrets.get(path, 3).reveal()
    assert restored == world.secrets.get(path, 1).reveal() == login("old").login.to_secret().reveal()


def test_a_former_secret_that_was_destroyed_is_gone(world: World) -> None:
    credential_id = world.rotated(timedelta(days=1))
    world.secrets.destroy(SecretPath("acme", credential_id), [1])
    with pytest.raises(FormerSecretGone):
        world.credentials.rotations.roll_back(REQUEST, credential_id, None)
    assert world.readable(credential_id) == [2]


def test_the_last_moment_of_the_grace(world: World) -> None:
    credential_id = world.rotated(timedelta(seconds=60))
    late = replace(REQUEST, now=NOW + timedelta(seconds=60))
    with pytest.raises(FormerSecretGone):
        world.credentials.rotations.roll_back(late, credential_id, None)
    in_time = replace(REQUEST, now=NOW + timedelta(seconds=59))
    assert world.credentials.rotations.roll_back(in_time, credential_id, None).body["secret_version"] == 3


def test_a_rollback_to_an_expired_secret_needs_force_while_the_credential_is_in_use(
    caller: Caller, account: str
) -> None:
    soon = rfc3339(now() + timedelta(seconds=2))
    added = caller.add(account, expires_at=soon)
    assert added.status_code == 201, added.text
    path = f"{account}/credentials/{added.get_json()['id']}"
    caller.rotate(path, "*")
    assert caller.pull(account).status_code == 200
    waiting(lambda: _roll_back(caller, path, "*", dry_run=True).get_json()["needs_force"])
    refused = _roll_back(caller, path, "*")
    assert (refused.status_code, refused.get_json()["code"]) == (409, "credential_in_use")


def test_one_of_many_rollbacks_of_a_version_succeeds(caller: Caller, account: str) -> None:
    path = caller.added(account)
    etag = caller.rotate(path, "*").headers["ETag"]
    answers = at_once([lambda: _roll_back(caller, path, etag)] * 8)
    assert statuses(answers) == {200: 1, 412: 7}
    assert caller.unreferenced_secrets(account) == 0
    assert _password(caller, account) == ("octo", "old")


def test_rollbacks_and_rotations_of_any_version_succeed(caller: Caller, account: str) -> None:
    path = caller.added(account)
    caller.rotate(path, "*")
    rollback, rotation = lambda: _roll_back(caller, path, "*"), lambda: caller.rotate(path, "*", "newer")
    answers = at_once([rollback, rotation] * 4)
    assert statuses(answers) == {200: 8}
    assert caller.unreferenced_secrets(account) == 0
    assert caller.call("POST", f"{path}/secret/rollback?dry_run=true", {}, "*").status_code == 200
