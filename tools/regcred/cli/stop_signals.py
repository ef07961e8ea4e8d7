"""Stop signals interrupt a command, which then removes its drafts and stops the database that it started."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)  # SIGHUP: the terminal was closed
_SIGNAL_EXIT = 128  # added to the number of the signal, as a shell does


@contextmanager
def interrupted_by_stop_signals() -> Iterator[None]:
    """Raise `KeyboardInterrupt` in the block for the first stop signal. Further ones have no effect.

    A block that fails after a signal exits with 128 + its number. SIGHUP stays ignored if it is, as by
    `nohup`.
    """
    received: list[int] = []

    def interrupt(number: int, _frame: FrameType | None) -> None:
        _block()
        if not received:  # threads that do not block the signals can receive a further one
            received.append(number)
            raise KeyboardInterrupt

    for number in _STOP_SIGNALS:
        if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, interrupt)
    try:
        yield
    except (SystemExit, KeyboardInterrupt) as end:
        _block()
        failed = end.code if isinstance(end, SystemExit) else True
        if received and failed:
            raise SystemExit(_SIGNAL_EXIT + received[0]) from None
        raise


def _block() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, _STOP_SIGNALS)
