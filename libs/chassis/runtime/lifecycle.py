"""Graceful stop: SIGTERM, SIGINT, SIGQUIT and SIGHUP set an event, which the loops of a process check.

Every thread of the process blocks these signals, and one thread waits for the first of them. So no handler
interrupts a thread that holds the lock of the event, and further signals have no effect, also while Python
finalizes: it removes all handlers then, and a signal that is not blocked would end the process with -15.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

# SIGQUIT would write the memory to a file. SIGHUP: the terminal was closed.
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


def stop_on_signals() -> Event:
    """An event that is set after the first stop signal. Call it in the main thread, before others start.

    Programs that the process starts inherit the blocked signals. SIGHUP stays ignored if it is, as by
    `nohup`.
    """
    stop = Event()
    awaited = [
        number
        for number in STOP_SIGNALS
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN
    ]
    block_stop_signals()

    def set_event() -> None:
        signal.sigwait(awaited)
        stop.set()

    Thread(target=set_event, name="stop", daemon=True).start()
    return stop


def block_stop_signals() -> None:
    """Let stop signals have no effect on this thread, and on the threads and programs that it starts."""
    signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)


@contextmanager
def stop_signals_deferred() -> Iterator[None]:
    """Defer stop signals to the end of the block, so that what it starts is never left half registered.

    Only in a process in which no other thread can receive them.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
