"""How many processes may work side by side here. A container may use less than its machine has, and is killed
for what it takes of memory beyond its limit.
"""

import os
from math import ceil
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")  # in a container: its own
# A process takes two thirds of that, with a million events; the one that starts them is one more.
MEMORY_OF_ONE = 224 * 2**20


def usable(cgroups: Path = CGROUPS) -> int:
    """As many as there are processors that the container may use, and has memory for; at least one."""
    limits = [len(os.sched_getaffinity(0))]
    if (quota := _quota(cgroups)) is not None:
        limits.append(ceil(quota))
    if (memory := _memory(cgroups)) is not None:
        limits.append(memory // MEMORY_OF_ONE - 1)
    return max(1, min(limits))


def _quota(cgroups: Path) -> float | None:
    """Processors; `None`: no limit is known."""
    words = _read(cgroups / "cpu.max").split()
    if not words:  # version 1 of cgroups
        of = cgroups / "cpu"
        words = [*_read(of / "cpu.cfs_quota_us").split(), *_read(of / "cpu.cfs_period_us").split()]
    match words:
        case [quota, period] if quota.isdecimal() and period.isdecimal():
            return int(quota) / int(period)
        case _:  # "max", or -1
            return None


def _memory(cgroups: Path) -> int | None:
    """Bytes; `None`: no limit is known. In version 1 of cgroups, none is a number beyond all memory."""
    said = _read(cgroups / "memory.max") or _read(cgroups / "memory" / "memory.limit_in_bytes")
    return int(said) if said.isdecimal() else None


def _read(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii").strip()
    except OSError:
        return ""
