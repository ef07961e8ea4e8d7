"""Writers, one connection each, that begin together and append for a while: in processes of their own, or in
threads of one, as a service's requests are.
"""

import multiprocessing
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.synchronize import Barrier
from statistics import quantiles
from time import monotonic, perf_counter

# Opens whatever the writer of that number needs; what it gives appends one event each time it is called.
Appender = Callable[[str, int], Callable[[], None]]

WARM_UP = 30  # appends of each writer before the clock runs; statements are prepared after the fifth
BEGIN_SECONDS = 120.0
_barrier: Barrier | threading.Barrier | None = None


def write_in_threads(appender: Appender, url: str, *, writers: int, seconds: float) -> Mapping[str, float]:
    """As `write`, by threads of this process."""
    _begin(threading.Barrier(writers))
    with ThreadPoolExecutor(writers) as threads:
        turns = [
            threads.submit(_write, appender, url, number=number, seconds=seconds) for number in range(writers)
        ]
        return _figures((turn.result() for turn in turns), seconds)


def write(appender: Appender, url: str, *, writers: int, seconds: float) -> Mapping[str, float]:
    """Appends per second of all writers together, and how long one takes: `rate`, `p50` and `p99` (ms)."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["bench.appenders"])
    barrier = context.Barrier(writers)
    with ProcessPoolExecutor(writers, context, _begin, (barrier,)) as processes:
        turns = [
            processes.submit(_write, appender, url, number=number, seconds=seconds)
            for number in range(writers)
        ]
        return _figures((turn.result() for turn in turns), seconds)


def _figures(taken: Iterable[list[float]], seconds: float) -> Mapping[str, float]:
    milliseconds = [1000 * took for one in taken for took in one]
    cuts = quantiles(milliseconds, n=100)
    return {"rate": len(milliseconds) / seconds, "p50": cuts[49], "p99": cuts[98]}


def _begin(barrier: Barrier | threading.Barrier) -> None:
    global _barrier  # noqa: PLW0603 a barrier is handed over when a process begins, not with its work
    _barrier = barrier


def _write(appender: Appender, url: str, *, number: int, seconds: float) -> list[float]:
    """The seconds that each append took which ended in time."""
    assert _barrier is not None
    try:
        append = appender(url, number)
        for _ in range(WARM_UP):
            append()
    except BaseException:
        _barrier.abort()  # or the others would wait for this one
        raise
    _barrier.wait(BEGIN_SECONDS)
    taken: list[float] = []
    end = monotonic() + seconds
    while True:
        began = perf_counter()
        append()
        took = perf_counter() - began
        if monotonic() > end:
            return taken
        taken.append(took)
