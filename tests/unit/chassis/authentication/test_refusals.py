"""Which refused requests are recorded, and that no request waits for it."""

from datetime import UTC, datetime
from threading import Event

from structlog.testing import capture_logs

from chassis.authentication.refusals import (
    PER_MINUTE,
    PRINCIPALS_OF_ACCOUNTS,
    PRINCIPALS_PER_MINUTE,
    RefusalLimiter,
    RefusalLog,
)
from chassis.authentication.refused_request import RefusedRequest
from chassis.authentication.tokens import Principal
from tests.support.timing import PATIENCE, waiting


def refused(principal: str = "one", accounts: frozenset[str] | None = None) -> RefusedRequest:
    return RefusedRequest(
        principal=Principal(
            id=principal, name=principal, scopes=frozenset(), accounts=accounts, projects=None
        ),
        reason="account_forbidden",
        method="GET",
        route="/v1/accounts/<account_id>/credentials",
        account_id="acme",
        project_id=None,
        request_id="a-request",
        source_ip=None,
        traceparent=None,
        at=datetime(2026, 1, 2, tzinfo=UTC),
    )


def test_few_refusals_of_a_principal_are_recorded_in_a_minute_and_the_others_are_counted() -> None:
    limiter = RefusalLimiter()
    recorded = [found for _ in range(1000) if (found := limiter.admit(refused(), 10.0))]
    assert [found.omitted for found in recorded] == [0] * (PER_MINUTE - 1)
    assert limiter.admit(refused("another"), 10.0) is not None
    assert list(limiter.due(69.9)) == []
    [last] = limiter.due(70.0)
    assert len(recorded) + 1 + last.omitted == 1000
    assert limiter.admit(refused(), 70.0) is not None


def test_a_few_refusals_leave_nothing_out() -> None:
    limiter = RefusalLimiter()
    recorded = [found for _ in range(PER_MINUTE) if (found := limiter.admit(refused(), 0.0))]
    recorded += limiter.due(None)
    assert [found.omitted for found in recorded] == [0] * PER_MINUTE


def test_many_principals_are_limited_too() -> None:
    limiter = RefusalLimiter()
    recorded = [limiter.admit(refused(str(number)), 0.0) for number in range(PRINCIPALS_PER_MINUTE + 5)]
    assert sum(found is not None for found in recorded) == PRINCIPALS_PER_MINUTE
    assert limiter.uncounted == 5
    assert list(limiter.due(60.0)) == []
    assert limiter.admit(refused("late"), 60.0) is not None


def test_many_tokens_of_the_same_accounts_neither_flood_a_trail_nor_hide_others() -> None:
    """An administrator of an account creates tokens and tries each of them at another account."""
    limiter, accounts = RefusalLimiter(), frozenset({"umbrella"})
    recorded = [limiter.admit(refused(str(number), accounts), 0.0) for number in range(PRINCIPALS_PER_MINUTE)]
    assert sum(found is not None for found in recorded) == PRINCIPALS_OF_ACCOUNTS
    assert limiter.uncounted == PRINCIPALS_PER_MINUTE - PRINCIPALS_OF_ACCOUNTS
    assert limiter.admit(refused("another", frozenset({"third"})), 0.0) is not None


def test_a_request_does_not_wait_for_its_record() -> None:
    written, let_on = [], Event()

    def record(found: RefusedRequest) -> None:
        assert let_on.wait(PATIENCE)
        written.append(found)

    log = RefusalLog(record, monotonic=lambda: 0.0)
    for number in range(3):
        log(refused(str(number)))
    assert written == []
    let_on.set()
    waiting(lambda: len(written) == 3, "all are recorded")
    for _ in range(100):
        log(refused("four"))
    log.close()
    assert len(written) == 3 + PER_MINUTE
    assert written[-1].omitted == 100 - PER_MINUTE


def test_a_record_that_fails_is_logged() -> None:
    def record(found: RefusedRequest) -> None:
        raise ConnectionError(found.request_id)

    with capture_logs() as lines:
        log = RefusalLog(record, monotonic=lambda: 0.0)
        log(refused())
        log.close()
    assert [(line["event"], line["request_id"]) for line in lines] == [("refusal_not_recorded", "a-request")]
