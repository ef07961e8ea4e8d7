"""An unresponsive host delays no other, and the recorded outcome of each of its credentials is correct."""

import socket
import ssl
from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from chassis.runtime.clock import now
from chassis.secret import Secret
from contracts.verdicts import VerificationCode as Code
from registries.dialer.addresses import NetworkPolicy
from registries.logins.registry_login import RegistryLogin
from registries.protocol.login import Verdict, log_in
from registries.token_minter.minter import Endpoints, Minter
from registries.token_minter.token_calls import TokenCalls
from tests.integration.schedule.world import GOOD, INTERVAL, World, bad
from tests.support.timing import PATIENCE, waiting
from verifier.logins import Logins

SECOND = timedelta(seconds=1)


def until(done: Callable[[], bool], world: World) -> None:
    def ticked() -> bool:
        world.scheduler.tick()
        world.pass_time(SECOND)
        return done()

    waiting(ticked, "it is done")


def test_dead_hosts_take_one_slot_each_and_delay_no_other(world: World) -> None:
    """There are eight slots; two for each of four dead hosts would be all."""
    names = [f"dead-{number}.example" for number in range(4)]
    dead = [
        world.add(host, user=f"user-{number}", account=host.partition(".")[0])
        for number in range(5)
        for host in names
    ]
    live = [world.add(f"live-{number}.example") for number in range(30)]
    world.hear(*dead, *live)
    world.pass_time(INTERVAL * 1.2)
    heard, over = len(world.logins), Event()

    def verdict(host: str) -> Verdict:
        if host in names:
            over.wait(PATIENCE)
            return bad(Code.UNREACHABLE)
        return GOOD

    world.verdict = verdict
    try:
        until(lambda: all(world.types(one) == ["succeeded"] * 2 for one in live), world)
        assert not over.is_set()
        tried = [host for host, _ in world.logins[heard:] if host in names]
        assert sorted(tried) == names
    finally:
        over.set()


def test_an_unresponsive_host_is_tried_by_one_credential_until_it_responds(world: World) -> None:
    credentials = [world.add("dead.example", user=f"user-{number}") for number in range(6)]
    world.hear(*credentials)
    world.pass_time(INTERVAL * 1.2)
    done = len(world.logins)
    world.verdict = lambda _host: bad(Code.UNREACHABLE)
    for _ in range(3):
        world.tick()
        world.pass_time(timedelta(minutes=6))
    assert len(world.logins) - done == 3  # one in each of these
    assert [kinds.count("failed") for kinds in map(world.types, credentials)].count(0) >= 3  # nothing is said
    world.verdict = lambda _host: GOOD
    for _ in range(20):
        world.tick()
        world.pass_time(timedelta(minutes=1))
    assert {world.types(one)[-1] for one in credentials} <= {"succeeded", "recovered"}
    assert all(len(world.types(one)) >= 2 for one in credentials)


def test_logins_for_events_get_a_short_deadline_after_an_unresponsive_host(
    monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    monkeypatch.setattr("verifier.logins.SHORT_LOGIN_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        policy = NetworkPolicy.parse("127.0.0.0/8", host)
        tls = ssl.create_default_context()
        logins = Logins(
            minter=Minter(TokenCalls(policy, tls), Endpoints(), now=now),
            policy=policy,
            deadline_seconds=0.5,
            tls=tls,
            use_short_timeout=lambda name: world.limiter.open_for(name) > 0,
        )
        deadlines: list[float] = []

        def log_in_with_record(**arguments: Any) -> Verdict:
            deadlines.append(arguments["deadline_seconds"])
            return log_in(**arguments)

        def verdict(name: str) -> Verdict:
            login = RegistryLogin(username="octo", password=Secret("pw"))
            return logins(registry_host=name, api_host=name, login=login, provider="custom")

        monkeypatch.setattr("verifier.logins.log_in", log_in_with_record)
        world.verdict = verdict
        added = [world.add(host, account=account) for account in ("one", "one", "two", "three")]
        assert world.hear(*added) == ["unreachable"] * 4
    assert deadlines == [0.5, 0.5, 0.5, 0.2]  # the logins of one account show nothing about those of others
    assert [world.types(one) for one in added] == [["failed"]] * 4
