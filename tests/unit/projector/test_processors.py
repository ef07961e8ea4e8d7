"""A container's limits count where they are below what its machine has; both versions of cgroups tell them."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from projector.processors import usable

MANY = 16
PLENTY = str(64 * 2**30)


@pytest.fixture(autouse=True)
def _machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _pid: set(range(MANY)))


@pytest.mark.parametrize(
    ("files", "number"),
    [
        ({}, MANY),
        ({"cpu.max": "max 100000", "memory.max": "max"}, MANY),
        ({"cpu.max": "100000 100000", "memory.max": "268435456"}, 1),
        ({"cpu.max": "150000 100000", "memory.max": PLENTY}, 2),
        ({"cpu.max": "max 100000", "memory.max": str(2**30)}, 3),
        ({"cpu.max": "max 100000", "memory.max": str(64 * 2**20)}, 1),
        ({"cpu.max": "3200000 100000", "memory.max": PLENTY}, MANY),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, MANY),
        ({"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"}, 4),
        ({"memory/memory.limit_in_bytes": "9223372036854771712"}, MANY),
        ({"memory/memory.limit_in_bytes": str(2**30)}, 3),
    ],
)
def test_the_least_of_its_limits_counts(tmp_path: Path, files: Mapping[str, str], number: int) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    assert usable(tmp_path) == number
