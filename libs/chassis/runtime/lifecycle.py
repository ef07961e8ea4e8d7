"""Graceful stop: SIGTERM and SIGINT set an event, which the loops of a process check."""

import signal
from threading import Event
from types import FrameType


def stop_on_signals() -> Event:
    """An event that is set by the first SIGTERM or SIGINT. Call it in the main thread."""
    stop = Event()

    def on_signal(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    return stop
