"""Slow registries of few accounts delay no first verification of another account."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event

from contracts.streams import credential_stream
from contracts.verdicts import VerificationCode as Code
from registries.protocol.login import Verdict
from tests.integration.schedule.world import GOOD, INTERVAL, World, bad
from tests.support.log import stream_events
from tests.support.timing import PATIENCE, waiting

SLOW_HOSTS = [f"slow-{number}.example" for number in range(4)]


def test_slow_logins_of_two_accounts_do_not_delay_a_first_verification(world: World) -> None:
    """The consumer has 16 slots, and as many threads and four more."""
    for host in SLOW_HOSTS:  # they are known to respond
        world.hear(world.add(host, account="warm-up", user="w"))
    over = Event()

    def verdict(host: str) -> Verdict:
        if host in SLOW_HOSTS:
            over.wait(PATIENCE)
        return GOOD

    world.verdict = verdict
    greedy = [
        world.add(host, account=account, user=f"user-{number}")
        for account in ("greedy-1", "greedy-2")
        for number in range(2)
        for host in SLOW_HOSTS
    ]
    begun = len(world.logins)
    events = [stream_events(world.pool, credential_stream(one))[0] for one in greedy]
    with ThreadPoolExecutor(20) as threads:
        try:
            handled = [threads.submit(world.handler.handle, event, world.bulkhead) for event in events]
            waiting(lambda: len(world.logins) - begun == 8, "each account has its quarter of the slots")
            outcomes = waiting(lambda: [one for one in handled if one.done()], "the others are postponed")
            assert {one.result() for one in outcomes} == {"postponed"}
            for number in range(4):
                assert world.hear(world.add(account=f"stranger-{number}")) == ["verified"]
        finally:
            over.set()
        assert [one.result() for one in handled].count("verified") == 8


def test_postponed_verifications_of_an_account_wait_in_its_own_turn(world: World) -> None:
    """The schedule has eight slots. Without turns, the many rows of one account would come first."""
    world.hold("rate_limited", account="greedy", retry_after=60)
    many = [world.add(account="greedy") for _ in range(20)]
    assert set(world.hear(*many)) == {"postponed"}
    world.hold("rate_limited", account="modest", user="other", retry_after=61)
    one = world.add(account="modest", user="other")
    assert world.hear(one) == ["postponed"]
    world.pass_time(timedelta(seconds=62))
    claimed = world.table.claim_postponed(world.at, 8)
    assert one in {row.credential_id for row in claimed}


def test_unanswered_logins_of_one_account_do_not_defer_those_of_others(world: World) -> None:
    guilty, innocent = world.add(account="guilty"), world.add(account="innocent")
    world.hear(guilty, innocent)
    world.verdict = lambda _: bad(Code.UNREACHABLE)
    for _ in range(4):
        world.credentials.request_verification(world.request("guilty"), guilty, None)
        assert world.hear(guilty) == ["unreachable"]
    world.verdict = lambda _: GOOD
    world.pass_time(INTERVAL * 1.2 - timedelta(minutes=10))
    world.credentials.request_verification(world.request("guilty"), guilty, None)
    world.verdict = lambda _: bad(Code.UNREACHABLE)
    assert world.hear(guilty) == ["unreachable"]
    world.verdict = lambda _: GOOD
    world.tick()
    assert world.types(innocent) == ["succeeded", "succeeded"]
