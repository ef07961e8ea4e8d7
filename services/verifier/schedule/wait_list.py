"""Claimed rows that wait in memory for a slot of their host. Pure.

The next slot becomes free in this process, and deferring a row in the table costs as much as the login.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from verifier.schedule.rows import Due

PER_HOST = 8  # rows; more would wait too long
LONGEST = timedelta(seconds=30)  # much shorter than the lease of a claim


@dataclass(frozen=True, slots=True)
class Claimed:
    """A row and the time at which it was claimed."""

    due: Due
    at: datetime


def partition(claimed: Iterable[Claimed], now: datetime) -> tuple[list[Claimed], list[Claimed]]:
    """Split rows into those that wait further, in order, and those that do not.

    At most `PER_HOST` rows of one host wait, each for at most `LONGEST`.
    """
    waiting, others = [], []
    hosts: Counter[str] = Counter()
    for row in claimed:
        host = row.due.registry_host
        if hosts[host] < PER_HOST and now - row.at < LONGEST:
            hosts[host] += 1
            waiting.append(row)
        else:
            others.append(row)
    return waiting, others
