"""Commands that run at the same time: each has the response that it would have if it came alone, or its conflict."""

from collections.abc import Callable
from functools import partial
from itertools import count

import pytest
from werkzeug.test import TestResponse

from chassis.runtime.slots import PROCESS_SLOTS
from chassis.web.server import THREADS
from credentials.api.waiting import MAX_WAITING, MAX_WAITING_PER_ACCOUNT
from tests.integration.credentials.calls import Caller, at_once, statuses

_numbers = count(1)


@pytest.fixture
def account() -> str:
    """An account of this test's own."""
    return f"crowd-{next(_numbers)}"


def test_one_of_many_rotations_of_a_version_succeeds(caller: Caller, account: str) -> None:
    path = caller.added(account)
    responses = at_once([lambda: caller.rotate(path, '"1"')] * 12)
    assert statuses(responses) == {200: 1, 412: 11}
    assert caller.events(account)["credential.secret_rotated"] == 1
    assert caller.unreferenced_secrets(account) == 0


def test_every_rotation_of_any_version_succeeds(caller: Caller, account: str) -> None:
    path = caller.added(account)
    responses = at_once([partial(caller.rotate, path, "*", f"new {n}") for n in range(12)])
    assert statuses(responses) == {200: 12}
    versions = [response.get_json()["secret_version"] for response in responses]
    assert len(set(versions)) == 12
    [(current,)] = caller.rows(
        "SELECT secret_version FROM credentials.current WHERE account_id = %s", account
    )
    assert current == max(versions)
    assert caller.unreferenced_secrets(account) == 0


def test_every_change_of_any_version_succeeds(caller: Caller, account: str) -> None:
    path = caller.added(account)
    changes = [partial(caller.change, path, "*", description=f"change {n}") for n in range(20)]
    restrictions = [partial(caller.restrict, path, "*", f"project-{n}") for n in range(4)]
    responses = at_once(changes + restrictions)
    assert statuses(responses) == {200: 24}
    assert len({response.headers["ETag"] for response in responses}) == 24


def test_every_request_for_a_verification_is_accepted_and_editors_keep_their_version(
    caller: Caller, account: str
) -> None:
    path = caller.added(account)
    responses = at_once([lambda: caller.verify(path)] * 20)
    assert statuses(responses) == {202: 20}
    assert len({response.get_json()["id"] for response in responses}) == 20
    assert len({response.headers["Regcred-Position"] for response in responses}) == 20
    assert {response.headers["ETag"] for response in responses} == {'"1"'}
    changed = caller.change(path, '"1"', description="edited")
    assert (changed.status_code, changed.headers["ETag"]) == (200, f'"{changed.get_json()["version"]}"')
    assert caller.verify(path).headers["ETag"] == changed.headers["ETag"]
    unchanged = caller.change(path, changed.headers["ETag"], description="edited")
    assert unchanged.headers["ETag"] == changed.headers["ETag"]
    assert unchanged.get_json() == changed.get_json()
    assert caller.change(path, '"1"', description="late").status_code == 412


def test_an_edit_succeeds_while_verifications_are_requested(caller: Caller, account: str) -> None:
    path = caller.added(account)
    responses = at_once(
        [lambda: caller.change(path, '"1"', name="edited")] + [lambda: caller.verify(path)] * 15
    )
    assert statuses(responses) == {200: 1, 202: 15}


def test_secrets_are_issued_while_the_credential_changes(caller: Caller, account: str) -> None:
    path = caller.added(account)
    pulls = [partial(caller.pull, account)] * 6
    changes = [partial(caller.change, path, "*", description=f"change {n}") for n in range(8)]
    responses = at_once([*pulls, *changes, *[partial(caller.verify, path)] * 10])
    assert statuses(responses) == {200: 14, 202: 10}


def test_identical_additions_have_one_effect_and_one_response(caller: Caller, account: str) -> None:
    responses = at_once([lambda: caller.add(account, key="same")] * 10)
    in_flight = [response for response in responses if response.status_code == 409]
    assert {response.get_json()["code"] for response in in_flight} <= {"idempotency_key_in_flight"}
    others = [response for response in responses if response not in in_flight]
    assert statuses(others) == {201: len(others)}
    repeated = caller.add(account, key="same")
    assert repeated.headers["Idempotency-Replayed"] == "true"
    assert {response.get_json()["id"] for response in others} == {repeated.get_json()["id"]}
    assert caller.events(account) == {"credential.added": 1}
    assert caller.unreferenced_secrets(account) == 0


def test_identical_requests_for_a_verification_or_a_secret_have_one_effect(
    caller: Caller, account: str
) -> None:
    path = caller.added(account)
    for send, status in (
        (partial(caller.verify, path, key="v"), 202),
        (partial(caller.pull, account, key="p"), 200),
    ):
        responses = at_once([send] * 10)
        done = [response for response in responses if response.status_code == status]
        refused = {response.get_json()["code"] for response in responses if response not in done}
        assert refused <= {"idempotency_key_in_flight"}
        assert len({response.headers["Regcred-Position"] for response in [*done, send()]}) == 1
    assert caller.events(account) == {"credential.added": 1, "verification.requested": 1}


def test_one_of_two_additions_of_a_name_succeeds(caller: Caller, account: str) -> None:
    responses = at_once([lambda: caller.add(account, key="one"), lambda: caller.add(account, key="other")])
    assert statuses(responses) == {201: 1, 409: 1}
    [refused] = [response.get_json() for response in responses if response.status_code == 409]
    assert refused["code"] == "name_taken"
    assert caller.events(account) == {"credential.added": 1}


@pytest.mark.parametrize("version", ['"1"', "*"])
def test_other_commands_find_a_removed_credential_missing_or_succeed_before(
    caller: Caller, account: str, version: str
) -> None:
    paths = [caller.added(account, f"team-{number}") for number in range(6)]
    responses = at_once(
        [
            command
            for path in paths
            for command in (
                partial(caller.remove, path, version),
                partial(caller.rotate, path, version),
                partial(caller.change, path, version, description="edited"),
                partial(caller.verify, path),
            )
        ]
    )
    stale = {412} if version != "*" else set()
    for number in range(len(paths)):
        removed, rotated, changed, verified = responses[4 * number : 4 * number + 4]
        assert removed.status_code in {204} | stale, removed.text
        assert rotated.status_code in {200, 404} | stale, rotated.text
        assert changed.status_code in {200, 404} | stale, changed.text
        assert verified.status_code in {202, 404}, verified.text
    if version == "*":
        assert caller.events(account)["credential.removed"] == len(paths)
    assert caller.unreferenced_secrets(account) == 0


def test_one_of_many_removals_of_a_version_succeeds(caller: Caller, account: str) -> None:
    path = caller.added(account)
    responses = at_once([lambda: caller.remove(path, '"1"', key="gone")] * 8)
    assert statuses(responses) == {204: 1, 404: 7}


def test_keyed_requests_with_a_version_are_conflicts_and_no_errors(caller: Caller, account: str) -> None:
    """Only a POST has an idempotency key. The version makes the others safe to repeat."""
    path = caller.added(account)
    assert statuses(at_once([lambda: caller.change(path, '"1"', key="k", name="other")] * 6)) == {
        200: 1,
        412: 5,
    }
    assert statuses(at_once([lambda: caller.rotate(path, '"2"', key="k")] * 6)) == {200: 1, 412: 5}


@pytest.mark.parametrize("key", [None, "import"])
def test_an_import_that_is_sent_twice_stores_each_login_once(
    caller: Caller, account: str, key: str | None
) -> None:
    hosts = ["reg-1.example.com", "reg-2.example.com", "reg-3.example.com/shop", "reg-3.example.com/blog"]
    auths = {host: {"username": "octo", "password": f"secret of {host}"} for host in hosts}
    body = {"docker_config": {"auths": auths}}

    def send() -> object:
        return caller.call("POST", f"{account}/imports", body, key=key)

    responses = at_once([send] * 4)  # type: ignore[list-item]
    done = [response for response in responses if response.status_code != 409]
    assert {response.get_json()["code"] for response in responses if response not in done} <= {
        "idempotency_key_in_flight"
    }
    assert caller.events(account) == {"credential.added": 4}
    results = [result for response in done for result in response.get_json()["items"]]
    expected = {"created"} if key else {"created", "duplicate"}
    assert {result["status"] for result in results} <= expected
    assert caller.unreferenced_secrets(account) == 0


def test_few_requests_wait_for_their_verification(caller: Caller, account: str) -> None:
    """No verifier runs: each waits for its whole time, and occupies a thread."""
    path, other = caller.added(account), caller.added(f"{account}-other")
    asked = MAX_WAITING_PER_ACCOUNT + 3

    def verify(of: str) -> Callable[[], TestResponse]:
        return lambda: caller.verify(of, prefer="wait=5")

    responses = at_once([verify(path)] * asked + [verify(other)])
    assert statuses(responses) == {202: asked + 1}
    waited = ["Preference-Applied" in response.headers for response in responses]
    assert sum(waited[:-1]) == MAX_WAITING_PER_ACCOUNT
    assert waited[-1], "another account has places of its own"


def test_the_accounts_together_leave_threads_to_others() -> None:
    assert MAX_WAITING < PROCESS_SLOTS < THREADS
