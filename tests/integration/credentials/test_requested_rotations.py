"""`verify: required` over HTTP: the responses before and after the login, and what is left in store and log."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from werkzeug.test import TestResponse

from chassis.database import open_pool
from chassis.ids import new_id
from chassis.runtime.clock import now
from contracts.streams import outcome_event_id, verification_stream
from contracts.verdicts import VerificationCode
from contracts.verification_events import RotationTested
from eventlog.events import Actor, Metadata, NewEvent
from eventlog.storage import IdempotentRequest
from tests.integration.credentials.calls import Caller, Json, at_once, secret, statuses
from tests.support.timing import waiting
from verifier.bootstrap import ROLE as VERIFIER
from verifier.postgres_store import PostgresVerificationStore


@pytest.fixture
def verifier_store(database_url: str) -> Iterator[PostgresVerificationStore]:
    with open_pool(database_url, role=VERIFIER, size=1) as pool:
        yield PostgresVerificationStore(pool)


@pytest.fixture
def account() -> str:
    return f"requested-{new_id()}"


def request(
    caller: Caller, path: str, *, prefer: str | None = None, query: str = "", **more: object
) -> TestResponse:
    body = {**secret(), "verify": "required", **more}
    return caller.call("PUT", f"{path}/secret{query}", body, "*", prefer=prefer)


def test_it_waits_for_the_login_and_the_credential_stays_as_it_is(caller: Caller, account: str) -> None:
    path = caller.added(account)
    requested = request(caller, path)
    assert requested.status_code == 202, requested.text
    body = requested.get_json()
    assert (body["secret_version"], body["version"], requested.headers["ETag"]) == (1, 1, '"1"')
    assert body["updated_at"] == body["created_at"]
    rotation = body["rotation"]
    assert (rotation["status"], rotation["reason"], rotation["code"]) == ("pending", None, None)
    assert caller.events(account) == {"credential.added": 1, "credential.rotation_requested": 1}


def test_a_dry_run_stores_and_requests_nothing(caller: Caller, account: str) -> None:
    path = caller.added(account)
    dry = request(caller, path, query="?dry_run=true")
    assert dry.status_code == 200
    assert dry.get_json()["dry_run"] is True
    assert caller.events(account) == {"credential.added": 1}
    assert caller.rows("SELECT count(*) FROM encrypted.secrets WHERE account_id = %s", account) == [(1,)]


def test_another_request_takes_its_place(caller: Caller, account: str) -> None:
    path = caller.added(account)
    first = request(caller, path).get_json()["rotation"]["id"]
    second = request(caller, path).get_json()["rotation"]["id"]
    assert first != second
    rotated = caller.rotate(path, "*", "plain")
    assert rotated.status_code == 200
    assert rotated.get_json()["rotation"] is None
    assert caller.events(account)["credential.rotation_discarded"] == 2


@pytest.mark.parametrize("body", [{"verify": "yes"}, {"verify": None}, {"verify": True}])
def test_an_unknown_way_to_verify_is_refused(caller: Caller, account: str, body: Json) -> None:
    path = caller.added(account)
    assert request(caller, path, **body).status_code == 422
    assert caller.events(account) == {"credential.added": 1}


@pytest.mark.parametrize("code", [None, VerificationCode.BAD_CREDENTIAL])
def test_a_request_that_waits_gets_what_became_of_it(
    caller: Caller, account: str, code: VerificationCode | None, verifier_store: PostgresVerificationStore
) -> None:
    path = caller.added(account)
    with ThreadPoolExecutor(1) as threads:
        response = threads.submit(request, caller, path, prefer="wait=20")
        credential = UUID(path.rpartition("/")[2])
        query = "SELECT requested_rotation FROM credentials.current WHERE credential_id = %s"
        found = waiting(lambda: caller.rows(query, credential)[0][0])
        record(verifier_store, account, credential, found, code)
        answer = response.result()
    if code is None:
        assert answer.status_code == 200, answer.text
        after = answer.get_json()
        assert (after["secret_version"], after["rotation"]) == (2, None)
    else:
        assert answer.status_code == 422, answer.text
        problem = answer.get_json()
        assert (problem["code"], problem["verification"]["code"]) == ("secret_not_verified", code)
        assert problem["verification"]["help"]
        assert caller.events(account)["credential.rotation_discarded"] == 1


def test_many_processes_settle_a_rotation_once(
    caller: Caller, account: str, verifier_store: PostgresVerificationStore
) -> None:
    path = caller.added(account)
    rotation = UUID(request(caller, path).get_json()["rotation"]["id"])
    credential = UUID(path.rpartition("/")[2])
    record(verifier_store, account, credential, rotation, None)
    waiting(lambda: caller.events(account)["credential.secret_rotated"])
    again = at_once([lambda: request(caller, path, prefer="wait=1") for _ in range(4)])
    assert statuses(again) == {202: 4}
    assert caller.events(account) == {
        "credential.added": 1,
        "credential.rotation_requested": 5,
        "credential.rotation_discarded": 3,
        "credential.secret_rotated": 1,
    }


def record(
    store: PostgresVerificationStore,
    account: str,
    credential: UUID,
    rotation: UUID,
    code: VerificationCode | None,
) -> None:
    """Record the outcome of the login, as the verifier does."""
    tested = RotationTested(
        rotation_id=rotation,
        credential_id=credential,
        registry_host="reg.example.com",
        provider="custom",
        secret_version=2,
        code=code,
        detail="a detail",
        confidence="strong",
        checked_at=now(),
        duration_ms=1,
    )
    metadata = Metadata(
        account_id=account,
        actor=Actor(type="system", id="verifier", name="regcred verifier"),
        occurred_at=now(),
        request_id="r",
        correlation_id="r",
    )
    event = NewEvent(event_id=outcome_event_id(rotation), payload=tested, metadata=metadata)
    once = IdempotentRequest(key=f"verification:{rotation}", fingerprint=b"f" * 32, response={})
    store.append(verification_stream(credential), 0, [event], request=once)
