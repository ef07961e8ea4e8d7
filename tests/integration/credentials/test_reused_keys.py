"""An Idempotency-Key that is used again after its response was deleted (24 hours), for the same request."""

from itertools import count

import psycopg
import pytest

from tests.integration.credentials.calls import Caller, at_once, statuses

_numbers = count(1)


@pytest.fixture
def account() -> str:
    """An account of this test's own."""
    return f"reused-{next(_numbers)}"


def day_passes(caller: Caller, account: str) -> None:
    """Delete the stored responses, as housekeeping does after 24 hours."""
    with psycopg.connect(caller.database_url) as superuser:
        superuser.execute("DELETE FROM es.idempotency WHERE account_id = %s", (account,))


def test_a_removed_credential_can_be_added_again_under_its_key(caller: Caller, account: str) -> None:
    ids = set()
    for _ in range(3):
        first = caller.add(account, key="k")
        repeated = caller.add(account, key="k")
        assert (first.status_code, repeated.status_code) == (201, 201)
        assert repeated.get_json() == first.get_json()
        ids.add(first.get_json()["id"])
        path = f"{account}/credentials/{first.get_json()['id']}"
        assert caller.rotate(path, '"1"').status_code == 200
        assert caller.remove(path, '"2"').status_code == 204
        day_passes(caller, account)
    assert len(ids) == 3
    assert caller.unreferenced_secrets(account) == 0


def test_a_renamed_credential_does_not_stand_in_the_way_of_its_key(caller: Caller, account: str) -> None:
    first = caller.add(account, key="k").get_json()
    assert caller.change(f"{account}/credentials/{first['id']}", '"1"', name="other").status_code == 200
    day_passes(caller, account)
    second = caller.add(account, key="k")
    assert second.status_code == 201
    assert second.get_json()["id"] != first["id"]


def test_a_name_that_is_taken_stays_taken_under_its_key(caller: Caller, account: str) -> None:
    caller.added(account, key="k")
    day_passes(caller, account)
    refused = caller.add(account, key="k")
    assert (refused.status_code, refused.get_json()["code"]) == (409, "name_taken")
    assert caller.unreferenced_secrets(account) == 0


def test_identical_additions_under_a_reused_key_have_one_effect(caller: Caller, account: str) -> None:
    path = caller.added(account, key="k")
    assert caller.remove(path, '"1"').status_code == 204
    day_passes(caller, account)
    responses = at_once([lambda: caller.add(account, key="k")] * 10)
    created = [response for response in responses if response.status_code == 201]
    assert statuses(responses) == {201: len(created)} | (
        {409: 10 - len(created)} if len(created) < 10 else {}
    )
    assert len({response.get_json()["id"] for response in created}) == 1
    codes = {response.get_json()["code"] for response in responses if response not in created}
    assert codes <= {"idempotency_key_in_flight"}
    assert caller.events(account) == {"credential.added": 2, "credential.removed": 1}
    assert caller.unreferenced_secrets(account) == 0
