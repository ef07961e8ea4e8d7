"""Writers with one connection each that start together and append for some seconds.

They are processes, or threads of one process like the requests of a service.
"""

import multiprocessing
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.synchronize import Barrier
from statistics import quantiles
from time import monotonic, perf_counter

# Prepares the writer of that number, and returns a function that appends one event.
Appender = Callable[[str, int], Callable[[], None]]

WARM_UP = 30  # appends of each writer before the measurement; statements are prepared after the fifth
BEGIN_SECONDS = 120.0
_barrier: Barrier | threading.Barrier | None = None


def write_in_threads(appender: Appender, url: str, *, writers: int, seconds: float) -> Mapping[str, float]:
    """Like `write`, with threads of this process."""
    _begin(threading.Barrier(writers))
    with ThreadPoolExecutor(writers) as threads:
        turns = [
            threads.submit(_write, appender, url, number=number, seconds=seconds) for number in range(writers)
        ]
        return _measurements((turn.result() for turn in turns), seconds)


def write(appender: Appender, url: str, *, writers: int, seconds: float) -> Mapping[str, float]:
    """Return `rate`, the appends per second of all writers, and `p50` and `p99` of their duration in ms."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["bench.appenders"])
    barrier = context.Barrier(writers)
    with ProcessPoolExecutor(writers, context, _begin, (barrier,)) as processes:
        turns = [
            processes.submit(_write, appender, url, number=number, seconds=seconds)
            for number in range(writers)
        ]
        return _measurements((turn.result() for turn in turns), seconds)


def _measurements(durations: Iterable[list[float]], seconds: float) -> Mapping[str, float]:
    milliseconds = [1000 * duration for one in durations for duration in one]
    cuts = quantiles(milliseconds, n=100)
    return {"rate": len(milliseconds) / seconds, "p50": cuts[49], "p99": cuts[98]}


def _begin(barrier: Barrier | threading.Barrier) -> None:
    global _barrier  # noqa: PLW0603 a process gets a barrier only at its start, not with its work
    _barrier = barrier


def _write(appender: Appender, url: str, *, number: int, seconds: float) -> list[float]:
    """Append for `seconds`, and return the duration of each append in seconds."""
    assert _barrier is not None
    try:
        append = appender(url, number)
        for _ in range(WARM_UP):
            append()
    except BaseException:
        _barrier.abort()  # otherwise the other writers wait for this one
        raise
    _barrier.wait(BEGIN_SECONDS)
    durations: list[float] = []
    end = monotonic() + seconds
    while True:
        started = perf_counter()
        append()
        duration = perf_counter() - started
        if monotonic() > end:
            return durations
        durations.append(duration)
