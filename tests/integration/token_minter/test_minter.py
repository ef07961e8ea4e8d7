"""A minted login is cached for half of its lifetime, minted once for concurrent callers, and never shown."""

import logging
import pickle
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from itertools import count
from threading import Event
from uuid import UUID

import pytest

from chassis.secret import Secret
from contracts.verdicts import VerificationCode
from registries.logins.registry_login import RegistryLogin
from registries.token_minter.minter import WAITING_THREADS, Endpoints, Minter, MintKey
from registries.token_service import NotMinted
from tests.integration.token_minter.clouds import AWS, ECR_HOST, MovedClock, minter
from tests.support.fake_clouds import aws_error, ecr
from tests.support.fake_registry import FakeServer, Raw, Reply, Seen, after, always
from tests.support.timing import PATIENCE, waiting

KEY = MintKey(UUID(int=1), 1, ECR_HOST)


def numbered(clock: MovedClock) -> FakeServer:
    numbers = count(1)
    return FakeServer(ecr(AWS, now=clock, password=lambda: f"password-{next(numbers)}"))


def at(cloud: FakeServer, clock: MovedClock) -> Minter:
    return minter(Endpoints(amazon=f"http://{cloud.address}/"), clock, cloud.address)


def password(made: Minter, key: MintKey = KEY) -> str:
    login = made.login(key, AWS, registry_host=ECR_HOST).login
    assert login.password is not None
    return login.password.reveal()


def test_a_login_is_cached_for_half_of_its_lifetime() -> None:
    clock = MovedClock()
    with numbered(clock) as cloud:
        made = at(cloud, clock)
        assert password(made) == "password-1"
        clock.move(timedelta(hours=5, minutes=59))
        assert password(made) == "password-1"
        clock.move(timedelta(minutes=2))
        assert password(made) == "password-2"


def test_each_version_of_a_secret_has_its_own_login() -> None:
    clock = MovedClock()
    with numbered(clock) as cloud:
        made = at(cloud, clock)
        assert password(made) == "password-1"
        assert password(made, MintKey(KEY.credential_id, 2, ECR_HOST)) == "password-2"
        assert password(made, MintKey(UUID(int=2), 1, ECR_HOST)) == "password-3"
        assert password(made) == "password-1"


def test_concurrent_callers_share_one_login() -> None:
    clock = MovedClock()
    slow = after(0.3, ecr(AWS, now=clock))
    with FakeServer(slow) as cloud, ThreadPoolExecutor(16) as pool:
        made = at(cloud, clock)
        passwords = set(pool.map(lambda _: password(made), range(16)))
        assert len(cloud.seen) == 1
    assert len(passwords) == 1


def test_concurrent_callers_share_one_failure() -> None:
    refusal = aws_error(400, "UnrecognizedClientException", "invalid")
    clock = MovedClock()
    with FakeServer(after(0.3, always(refusal))) as cloud, ThreadPoolExecutor(8) as pool:
        made = at(cloud, clock)

        def code(_: int) -> str:
            with pytest.raises(NotMinted) as failure:
                password(made)
            return failure.value.code

        assert set(pool.map(code, range(8))) == {"bad_credential"}
        assert len(cloud.seen) == 1


def test_a_refusal_is_cached_for_a_minute() -> None:
    clock = MovedClock()
    with FakeServer(always(aws_error(400, "UnrecognizedClientException", "invalid"))) as cloud:
        made = at(cloud, clock)
        for seconds in (0, 59, 0):
            clock.move(timedelta(seconds=seconds))
            with pytest.raises(NotMinted):
                password(made)
        assert len(cloud.seen) == 1
        clock.move(timedelta(seconds=2))
        with pytest.raises(NotMinted):
            password(made)
        assert len(cloud.seen) == 2


def test_a_failure_is_cached_for_seconds() -> None:
    clock = MovedClock()
    good = ecr(AWS, now=clock)
    bad = [Reply(500)]

    def answer(seen: Seen) -> Reply | Raw:
        return bad.pop() if bad else good(seen)

    with FakeServer(answer) as cloud:
        made = at(cloud, clock)
        with pytest.raises(NotMinted):
            password(made)
        clock.move(timedelta(seconds=6))
        assert password(made)


def test_an_expired_login_is_not_cached() -> None:
    clock = MovedClock()
    yesterday = MovedClock()
    yesterday.move(timedelta(days=-1))
    with FakeServer(ecr(AWS, now=yesterday)) as cloud:
        made = at(cloud, clock)
        password(made)
        password(made)
        assert len(cloud.seen) == 2


def test_the_cache_has_a_limit() -> None:
    clock = MovedClock()
    with numbered(clock) as cloud:
        made = at(cloud, clock)
        small = Minter(made._calls, made._endpoints, now=clock, capacity=2)
        for number in (1, 2, 3):
            password(small, MintKey(KEY.credential_id, number, ECR_HOST))
        assert password(small, MintKey(KEY.credential_id, 3, ECR_HOST)) == "password-3"
        assert password(small, MintKey(KEY.credential_id, 1, ECR_HOST)) == "password-4"


def test_a_plain_login_is_returned_unchanged() -> None:
    login = RegistryLogin(username="octo", password=Secret("pw"))
    made = minter(Endpoints(), MovedClock())
    assert made.login(KEY, login, registry_host="ghcr.io", short_lived=True).login is login


def test_nothing_secret_is_logged_or_written(caplog: pytest.LogCaptureFixture) -> None:
    clock = MovedClock()
    with caplog.at_level(logging.DEBUG), numbered(clock) as cloud:
        made = at(cloud, clock)
        minted = made.login(KEY, AWS, registry_host=ECR_HOST)
        shown = caplog.text + repr(minted) + repr(vars(made)) + repr(AWS)
    assert "password-1" not in shown
    assert "canary" not in shown
    with pytest.raises(TypeError):
        pickle.dumps(minted)


def test_few_threads_wait_for_a_cloud_that_does_not_respond() -> None:
    clock, release, frozen = MovedClock(), Event(), Event()
    respond = ecr(AWS, now=clock)

    def handle(seen: Seen) -> Reply | Raw:
        if frozen.is_set():
            release.wait(PATIENCE)
        return respond(seen)

    with FakeServer(handle) as cloud, ThreadPoolExecutor() as pool:
        made = at(cloud, clock)
        password(made)
        frozen.set()
        before = len(cloud.seen)
        waits = [
            pool.submit(password, made, MintKey(UUID(int=2 + number), 1, ECR_HOST))
            for number in range(WAITING_THREADS)
        ]
        waiting(lambda: len(cloud.seen) == before + WAITING_THREADS, "all slots are taken")
        with pytest.raises(NotMinted) as refused:
            password(made, MintKey(UUID(int=99), 1, ECR_HOST))
        assert (refused.value.code, refused.value.refused) == (VerificationCode.UNREACHABLE, False)
        password(made)  # from the cache
        release.set()
        for one in waits:
            one.exception()  # a login, or the end of its deadline on a slow machine
        password(made, MintKey(UUID(int=99), 1, ECR_HOST))
