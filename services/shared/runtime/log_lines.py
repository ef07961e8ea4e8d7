"""Where the lines of the log go: to a file, each at once, or several at a time."""

import atexit
import time
from collections import deque
from contextlib import suppress
from threading import Event, Lock, Thread
from typing import TextIO

GATHERING_SECONDS = 0.02


class LogLines:
    """What structlog calls a logger: a method for each level, which takes a finished line."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._lines: deque[str] = deque()
        self._news = Event()
        self._writing = Lock()
        self._gathering = False

    def gather(self) -> None:
        """From now on write what comes within 20 ms in one go, warnings and what is worse at once, and all of
        it in order. Call it in the process that works, after any fork; nothing happens if it gathers already.

        Each write lets another thread run. Where many serve requests, that is a switch from one processor to
        another for each line, and costs as much as a tenth of a request. The price: who is killed takes the
        lines of its last 20 ms along.
        """
        if not self._gathering:
            self._gathering = True
            Thread(target=self._write_what_comes, name="log-lines", daemon=True).start()
            atexit.register(self._write)

    def info(self, line: str) -> None:
        """It may wait."""
        self._lines.append(line)
        if not self._gathering:
            self._write()
        elif not self._news.is_set():
            self._news.set()

    def error(self, line: str) -> None:
        """It is written when this returns."""
        self._lines.append(line)
        self._write()

    debug = msg = info
    warning = warn = critical = fatal = exception = err = failure = error

    def _write(self) -> None:
        with self._writing:
            lines = []
            while self._lines:
                lines += [self._lines.popleft(), "\n"]
            if lines:
                self._file.write("".join(lines))
                self._file.flush()

    def _write_what_comes(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            time.sleep(GATHERING_SECONDS)
            with suppress(OSError):  # a full disk, a reader that is gone: those lines are lost, this goes on
                self._write()
