"""Graceful stop: SIGTERM, SIGINT and SIGHUP set an event, which the loops of a process check.

Python calls a handler between two steps of the main thread, which may hold the lock of the event just then:
in `Event.wait`, or in a handler that a second signal interrupts. A handler that set the event would wait for
that lock forever. It only writes to a pipe; a thread reads the pipe and sets the event.
"""

import os
import signal
from contextlib import suppress
from threading import Event, Thread
from types import FrameType

STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # SIGHUP: the terminal was closed


def stop_on_signals() -> Event:
    """An event that is set after the first stop signal. Call it in the main thread.

    SIGHUP stays ignored if it is, as by `nohup`.
    """
    stop = Event()
    reader, writer = os.pipe()
    os.set_blocking(writer, False)  # further signals are dropped when the pipe is full

    def on_signal(_signal: int, _frame: FrameType | None) -> None:
        with suppress(BlockingIOError):
            os.write(writer, b"\0")

    def set_event() -> None:
        os.read(reader, 1)
        stop.set()

    Thread(target=set_event, name="stop", daemon=True).start()
    for number in STOP_SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, on_signal)
    return stop
