"""`Regcred-Wait-For` while the read models do not follow the log."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event, Semaphore
from time import monotonic
from typing import Any, cast

import pytest

from chassis.web.problems import Problem
from projector.read.api.wait_for import MAX_WAITING, MAX_WAITING_PER_ACCOUNT, wait_for
from tests.support.timing import PATIENCE

TOKEN = "0b1d1f0e-3c55-5e0a-8f43-9a7a55a2f6d1:1"
NO_CONNECTION = cast(Any, None)


def test_few_threads_wait_and_further_ones_are_refused() -> None:
    waits, go_on = Semaphore(0), Event()

    def pause(_seconds: float) -> None:
        waits.release()
        go_on.wait(PATIENCE)

    def wait(account: str, has_event: bool = False) -> None:
        wait_for(
            TOKEN,
            NO_CONNECTION,
            account,
            has_event=lambda *_: go_on.is_set() or has_event,
            is_recorded=lambda *_: None,
            monotonic=monotonic,
            sleep=pause,
        )

    with ThreadPoolExecutor(MAX_WAITING + 1) as threads:
        waiting = [threads.submit(wait, f"a{n // MAX_WAITING_PER_ACCOUNT}") for n in range(MAX_WAITING)]
        for _ in waiting:
            assert waits.acquire(timeout=PATIENCE)
        try:
            with pytest.raises(Problem) as refused:
                threads.submit(wait, "other").result(PATIENCE)
            wait("other", has_event=True)
        finally:
            go_on.set()
        for each in waiting:
            each.result(PATIENCE)
    assert (refused.value.status, refused.value.code) == (503, "read_model_behind")


def test_one_account_leaves_places_to_wait_to_others() -> None:
    waits, go_on = Semaphore(0), Event()

    def pause(_seconds: float) -> None:
        waits.release()
        go_on.wait(PATIENCE)

    def wait(account: str) -> None:
        wait_for(
            TOKEN,
            NO_CONNECTION,
            account,
            has_event=lambda *_: go_on.is_set(),
            is_recorded=lambda *_: None,
            monotonic=monotonic,
            sleep=pause,
        )

    with ThreadPoolExecutor(MAX_WAITING) as threads:
        waiting = [threads.submit(wait, "greedy") for _ in range(MAX_WAITING_PER_ACCOUNT)]
        for _ in waiting:
            assert waits.acquire(timeout=PATIENCE)
        try:
            with pytest.raises(Problem) as refused:
                threads.submit(wait, "greedy").result(PATIENCE)
            waiting.append(threads.submit(wait, "other"))
            assert waits.acquire(timeout=PATIENCE)
        finally:
            go_on.set()
        for each in waiting:
            each.result(PATIENCE)
    assert (refused.value.status, refused.value.code) == (503, "read_model_behind")
