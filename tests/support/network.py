"""A second host for tests: a network namespace with its own link to this machine."""

import os
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.servers import missing, program


class SecondHost:
    """Its link to this machine can be cut, and packets of single connections can be dropped."""

    def __init__(self) -> None:
        self._ip, self._iptables = _required("ip", "iproute2"), _required("iptables", "iptables")
        number = os.getpid() % 60_000
        self._name, self._here, self._there = f"regcred{number}", f"rch{number}", f"rct{number}"
        network = f"10.213.{number % 250}"
        self.address = f"{network}.1"  # of this machine
        self._address_there = f"{network}.2"
        self._rules: list[list[str]] = []

    def __enter__(self) -> Self:
        made = self._run(self._ip, "netns", "add", self._name, check=False)
        if made.returncode:
            missing("a network namespace", f"run the tests as root: {made.stderr.strip()}")
        self._run(
            self._ip, "link", "add", self._here, "type", "veth", "peer", self._there, "netns", self._name
        )
        self._run(self._ip, "address", "add", f"{self.address}/24", "dev", self._here)
        self._run(
            self._ip, "-n", self._name, "address", "add", f"{self._address_there}/24", "dev", self._there
        )
        self._run(self._ip, "-n", self._name, "link", "set", self._there, "up")
        self._run(self._ip, "link", "set", self._here, "up")
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.restore()
        self._run(self._ip, "netns", "delete", self._name)  # with both ends of the link
        self._run(self._ip, "link", "delete", self._here, check=False)

    def command(self, *arguments: str) -> list[str]:
        """The command that runs a program on the second host."""
        return [str(self._ip), "netns", "exec", self._name, *arguments]

    def cut(self) -> None:
        """Lose the host: nothing arrives, and nobody is told."""
        self._run(self._ip, "link", "set", self._here, "down")

    def drop(self, port: int) -> None:
        """Drop all packets of the connection from this port of the second host."""
        for rule in (
            ["INPUT", "-i", self._here, "-p", "tcp", "--sport", str(port), "-j", "DROP"],
            ["OUTPUT", "-o", self._here, "-p", "tcp", "--dport", str(port), "-j", "DROP"],
        ):
            self._run(self._iptables, "-w", "-I", *rule)
            self._rules.append(rule)

    def restore(self) -> None:
        """Connect the host again."""
        while self._rules:
            self._run(self._iptables, "-w", "-D", *self._rules.pop())
        self._run(self._ip, "link", "set", self._here, "up")

    def _run(self, *command: str | Path, check: bool = True) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, check=check, capture_output=True, text=True)


def _required(name: str, package: str) -> Path:
    found = program(name)
    if found is None:
        missing(name, f"apt-get install {package}")
    return found
