"""A claimed row without a free slot of its host waits in memory, for moments: the next slot comes free
in this process, and putting a row off in the table costs as much as the login. Pure.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from verifier.schedule.rows import Due

PER_HOST = 8  # of them; more would wait too long
LONGEST = timedelta(seconds=30)  # well within the lease of a claim


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row, and when it was claimed."""

    due: Due
    at: datetime


def partition(claimed: Iterable[Claimed], now: datetime) -> tuple[list[Claimed], list[Claimed]]:
    """Those that wait on, in their order, and those that do not: so many of a host, and so long, at most."""
    waiting, others = [], []
    hosts: Counter[str] = Counter()
    for one in claimed:
        host = one.due.registry_host
        if hosts[host] < PER_HOST and now - one.at < LONGEST:
            hosts[host] += 1
            waiting.append(one)
        else:
            others.append(one)
    return waiting, others
