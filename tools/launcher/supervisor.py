"""Starts the processes of the one-machine mode, restarts them when they die, and stops them together."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic

import structlog

from chassis.observability.metric_files import PROCESS
from chassis.runtime.backoff import backoff
from chassis.runtime.parent import SUPERVISED

log = structlog.get_logger()

STOP_SECONDS = 12.0
_LONGEST_BACKOFF_SECONDS = 5.0  # before the restart of a process
_HEALTHY_SECONDS = 30.0  # a process that lived longer is restarted without regard to its earlier deaths


@dataclass(slots=True)
class _Child:
    name: str
    arguments: Sequence[str]
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    due: float = field(default=0.0)


class Supervisor:
    """Supervises child processes. SIGTERM stops them. They also stop if this process dies."""

    def __init__(self, commands: Mapping[str, Sequence[str]], environment: Mapping[str, str]) -> None:
        self._children = [_Child(name, arguments) for name, arguments in commands.items()]
        self._environment = {**os.environ, **environment, SUPERVISED: "1"}

    def start_due(self) -> None:
        """Start the processes that do not run and are due. Call it often."""
        for child in self._children:
            if child.process is not None and child.process.poll() is not None:
                self._died(child, child.process.returncode)
            if child.process is None and monotonic() >= child.due:
                self._start(child)

    def stop(self) -> None:
        """Stop all processes, and kill those that still run after `STOP_SECONDS`."""
        running = [child.process for child in self._children if child.process is not None]
        for process in running:
            process.terminate()
        deadline = monotonic() + STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0.0, deadline - monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("child_killed", pid=process.pid)
                process.kill()
                process.wait()
            if process.stdin is not None:
                process.stdin.close()

    def _start(self, child: _Child) -> None:
        child.process = subprocess.Popen(
            [sys.executable, "-P", "-m", *child.arguments],  # never a module in the current folder
            env={**self._environment, PROCESS: child.name},
            stdin=subprocess.PIPE,  # the child stops at its end, also if this process was killed
            start_new_session=True,  # Ctrl-C in the terminal reaches only this process
        )
        child.started = monotonic()

    @staticmethod
    def _died(child: _Child, code: int) -> None:
        if child.process is not None and child.process.stdin is not None:
            child.process.stdin.close()
        child.process = None
        healthy = monotonic() - child.started > _HEALTHY_SECONDS
        child.deaths = 1 if healthy else child.deaths + 1
        child.due = monotonic() + backoff(child.deaths - 1, longest=_LONGEST_BACKOFF_SECONDS)
        log.warning("child_died", child=child.name, code=code, deaths=child.deaths)
