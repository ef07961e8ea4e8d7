"""What a benchmark is made of: runs that give figures, and rows that set them side by side.

The runs of one benchmark take turns (ours, peer, limit, and again), so that whatever else the machine does
meanwhile hits all of them alike. A figure is the median of its runs; what is trusted are ratios.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from statistics import median
from typing import Literal

Run = Callable[[], Mapping[str, float]]  # figures by name
Part = Literal["ours", "ours/peer", "ours/limit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """`quick` looks whether everything works; its figures tell little."""

    quick: bool
    repeat: int


@dataclass(frozen=True, slots=True)
class Target:
    """What must be reached: `of` at least that much, or at most."""

    of: Part
    least: float | None = None
    most: float | None = None

    def __str__(self) -> str:
        sign, bound = (">=", self.least) if self.least is not None else ("<=", self.most)
        return f"{'' if self.of == 'ours' else self.of + ' '}{sign} {bound:,g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One line of the table; `ours`, `peer` and `limit` are names of figures."""

    name: str
    unit: str
    ours: str
    peer: str | None = None
    limit: str | None = None
    targets: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """`once` is for what takes minutes, and is not compared with anything."""

    runs: Sequence[Run]
    rows: Sequence[Row]
    once: bool = False


Opening = Callable[[Options], AbstractContextManager[Iterable[Benchmark]]]


@dataclass(frozen=True, slots=True)
class Measured:
    """A figure: every sample in the order of the runs."""

    samples: tuple[float, ...]

    @property
    def value(self) -> float:
        return median(self.samples)

    @property
    def spread(self) -> float:
        """From the lowest to the highest sample, relative to the median."""
        return (max(self.samples) - min(self.samples)) / self.value if self.value else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A row with what was measured."""

    row: Row
    ours: Measured
    peer: Measured | None
    limit: Measured | None

    def part(self, part: Part) -> float:
        other = {"ours": None, "ours/peer": self.peer, "ours/limit": self.limit}[part]
        if other is None:
            if part != "ours":
                raise ValueError(f"{self.row.name} has nothing to be compared with as {part}")
            return self.ours.value
        return self.ours.value / other.value

    def reached(self) -> bool | None:
        """Whether every target is; None where there is none."""
        if not self.row.targets:
            return None
        return all(
            (target.least is None or self.part(target.of) >= target.least)
            and (target.most is None or self.part(target.of) <= target.most)
            for target in self.row.targets
        )


def measure(benchmark: Benchmark, repeat: int) -> list[Result]:
    """Let the runs take turns, so many times each."""
    samples: dict[str, list[float]] = defaultdict(list)
    for _ in range(1 if benchmark.once else repeat):
        for run in benchmark.runs:
            for name, value in run().items():
                samples[name].append(value)
    figures = {name: Measured(tuple(values)) for name, values in samples.items()}
    return [
        Result(
            row=row,
            ours=figures[row.ours],
            peer=figures[row.peer] if row.peer else None,
            limit=figures[row.limit] if row.limit else None,
        )
        for row in benchmark.rows
    ]
