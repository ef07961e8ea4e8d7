"""The parts of a benchmark: runs that return measurements, and rows that compare them.

The runs of one benchmark take turns (ours, peer, limit, and again), so that other load of the machine affects
all of them equally. A measurement is the median of its runs. Ratios are more reliable than absolute values.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from statistics import median
from typing import Literal

Run = Callable[[], Mapping[str, float]]  # measurements by name
Part = Literal["ours", "ours/peer", "ours/limit"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """Options of a run. `quick` only checks that everything works; its results mean little."""

    quick: bool
    repeat: int


@dataclass(frozen=True, slots=True)
class Target:
    """A minimum or maximum of the part `of` of a result."""

    of: Part
    least: float | None = None
    most: float | None = None

    def __str__(self) -> str:
        sign, bound = (">=", self.least) if self.least is not None else ("<=", self.most)
        return f"{'' if self.of == 'ours' else self.of + ' '}{sign} {bound:,g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One row of the table. `ours`, `peer` and `limit` are names of measurements."""

    name: str
    unit: str
    ours: str
    peer: str | None = None
    limit: str | None = None
    targets: tuple[Target, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """Runs and the rows of their measurements. `once`: without repetition, for runs that take minutes."""

    runs: Sequence[Run]
    rows: Sequence[Row]
    once: bool = False


BenchmarkFactory = Callable[[Options], AbstractContextManager[Iterable[Benchmark]]]


@dataclass(frozen=True, slots=True)
class Measured:
    """A measurement, with the samples of all runs in their order."""

    samples: tuple[float, ...]

    @property
    def value(self) -> float:
        return median(self.samples)

    @property
    def spread(self) -> float:
        """The distance of the lowest and the highest sample, relative to the median."""
        return (max(self.samples) - min(self.samples)) / self.value if self.value else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """A row with its measurements."""

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
        """Whether every target is reached. `None` without targets."""
        if not self.row.targets:
            return None
        return all(
            (target.least is None or self.part(target.of) >= target.least)
            and (target.most is None or self.part(target.of) <= target.most)
            for target in self.row.targets
        )


def measure(benchmark: Benchmark, repeat: int) -> list[Result]:
    """Run each of the runs `repeat` times, in turn."""
    samples: dict[str, list[float]] = defaultdict(list)
    for _ in range(1 if benchmark.once else repeat):
        for run in benchmark.runs:
            for name, value in run().items():
                samples[name].append(value)
    measurements = {name: Measured(tuple(values)) for name, values in samples.items()}
    return [
        Result(
            row=row,
            ours=measurements[row.ours],
            peer=measurements[row.peer] if row.peer else None,
            limit=measurements[row.limit] if row.limit else None,
        )
        for row in benchmark.rows
    ]
