"""`regcred projections`: list, rebuild, switch and drop generations of the read models."""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from time import monotonic
from typing import Any, Self

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
from rich.progress import Progress as Bar
from rich.progress import TimeRemainingColumn as Remaining

from chassis.observability.logs import configure_logs
from chassis.runtime.clock import rfc3339
from chassis.runtime.core_dumps import disable_core_dumps
from chassis.settings.environment import Settings
from eventlog.storage import PersonalKeys
from operations.command_errors import refused
from operations.log.database import log_database
from projector.rebuild import rebuild
from projector.rebuild.build_process import connect
from projector.rebuild.rebuild import ReadersInTheWay, RebuildProgress
from projector.write import generations
from projector.write.generations import (
    AdministrationInProgress,
    Generation,
    GenerationInUse,
    UnknownGeneration,
)
from regcred.cli.examples import examples
from regcred.cli.output import print_json, print_table
from regcred.cli.presentation import moment
from secretstore.installation import open_key_file_of
from secretstore.personal_keys import open_personal_keys

_LINE_SECONDS = 5.0  # between two lines of progress without a terminal
_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_UNIT = 1024


@click.group(
    epilog=examples(
        "regcred projections list",
        "regcred projections rebuild --switch",
        "regcred projections switch 1",
        "regcred projections drop 1",
    )
)
def projections() -> None:
    """Rebuild read models without downtime."""


@projections.command("list")
@_JSON
def list_command(*, as_json: bool) -> None:
    """List the generations of the read models.

    A degraded generation has dead letters: events that it could not apply. The projector drops a retired
    generation a week after the switch.
    """
    with _database() as url:
        found = _generations(url)
    if as_json:
        print_json({"items": [_document(generation) for generation in found]})
        return
    print_table(
        ("GENERATION", "STATUS", "POSITION", "LAG", "DEAD LETTERS", "SIZE", "DROPPED AFTER"),
        [
            (
                generation.generation,
                f"{generation.status}, degraded" if generation.degraded else generation.status,
                generation.position,
                f"{generation.lag.events} events, {generation.lag.seconds:.1f} s",
                generation.dead_letters,
                _size(generation.size),
                moment(rfc3339(generation.dropped_after)) if generation.dropped_after else None,
            )
            for generation in found
        ],
    )


@projections.command("rebuild")
@click.option("--switch/--no-switch", default=None, help="Make it live at the end, or not.")
@click.option("--resume", is_flag=True, help="Continue an interrupted rebuild.")
@_JSON
def rebuild_command(*, switch: bool | None, resume: bool, as_json: bool) -> None:
    """Build a new generation from the log.

    Readers and writers continue. Without --switch or --no-switch it prompts at the end on a terminal.
    Otherwise the generation stays `building` until `regcred projections switch`.
    """
    with _database() as url:
        personal = _personal(url)
        started = monotonic()
        with _ProgressReport() as progress:
            number = rebuild.rebuild(
                url,
                resume=resume,
                switch=bool(switch),
                report=progress.report,
                personal=personal,
            )
        seconds = monotonic() - started
        if switch is None and sys.stdin.isatty() and click.confirm(f"Let readers see generation {number}?"):
            rebuild.switch(url, number, report=_no_report, personal=personal)
        [built] = [one for one in _generations(url) if one.generation == number]
    rate = progress.applied / seconds
    if as_json:
        print_json({**_document(built), "events": progress.applied, "seconds": round(seconds, 3)})
    else:
        click.echo(
            f"generation {number} is {built.status} at position {built.position}:"
            f" {progress.applied:,} events in {seconds:.1f} s ({rate:,.0f}/s)"
        )


@projections.command("switch")
@click.argument("generation", type=click.IntRange(min=1))
@_JSON
def switch_command(*, generation: int, as_json: bool) -> None:
    """Make another generation live.

    It catches up first, even a retired one. No reader sees an older state than before.
    """
    with _database() as url:
        with _ProgressReport() as progress:
            rebuild.switch(url, generation, report=progress.report, personal=_personal(url))
        [live] = [one for one in _generations(url) if one.generation == generation]
    if as_json:
        print_json(_document(live))
    else:
        click.echo(f"generation {generation} is live at position {live.position}")


@projections.command("drop")
@click.argument("generation", type=click.IntRange(min=1))
def drop_command(*, generation: int) -> None:
    """Remove a retired or abandoned generation now.

    The live generation cannot be removed. The projector drops a retired one a week after the switch.
    """
    with _database() as url, connect(url) as connection:
        generations.drop(connection, generation)
    click.echo(f"generation {generation} is removed")


class _ProgressReport:
    """Shows progress on standard error: a bar on a terminal, otherwise a line every few seconds."""

    def __init__(self) -> None:
        self.applied = 0
        self._first: int | None = None
        self._started = self._reported_at = monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar = Bar(
                TextColumn("{task.description}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("{task.fields[rate]} events/s"),
                Remaining(),
                console=Console(stderr=True),
            )
            self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()

    def report(self, progress: RebuildProgress) -> None:
        if progress.indexes:
            self._report_indexes(progress)
            return
        if self._first is None:
            self._first = progress.position
        self.applied = progress.position - self._first
        elapsed = max(monotonic() - self._started, 0.001)
        rate = self.applied / elapsed
        if self._bar is not None:
            if self._task is None:
                self._task = self._bar.add_task(f"generation {progress.generation}", total=None, rate="0")
            self._bar.update(
                self._task,
                description=f"generation {progress.generation}",
                completed=progress.position,
                total=progress.head,
                rate=f"{rate:,.0f}",
            )
        elif monotonic() - self._reported_at >= _LINE_SECONDS:
            self._reported_at = monotonic()
            left = (progress.head - progress.position) / rate if rate else 0.0
            click.echo(
                f"generation {progress.generation}: {progress.position:,} of {progress.head:,} events,"
                f" {rate:,.0f}/s, {left:.0f} s left",
                err=True,
            )

    def _report_indexes(self, progress: RebuildProgress) -> None:
        left = f"generation {progress.generation}: {progress.indexes} indexes left to create"
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=left)
        elif monotonic() - self._reported_at >= _LINE_SECONDS:
            self._reported_at = monotonic()
            click.echo(left, err=True)


@contextmanager
def _database() -> Iterator[str]:
    """Yield the URL of the database. Refusals and obstacles become a message and exit code 1."""
    disable_core_dumps()
    configure_logs("projections")
    refusals = (AdministrationInProgress, GenerationInUse, UnknownGeneration, ReadersInTheWay)
    with (
        refused(*refusals, needed="no read models"),
        log_database(Settings.from_environment(os.environ)) as url,
    ):
        yield url


def _personal(url: str) -> PersonalKeys:
    """The keys that decrypt personal data in events."""
    return open_personal_keys(open_key_file_of(url, Settings.from_environment(os.environ).key_file))


def _generations(url: str) -> list[Generation]:
    with connect(url) as connection:
        return generations.generations(connection)


def _document(generation: Generation) -> dict[str, Any]:
    document = {**asdict(generation), "degraded": generation.degraded}
    document["parked"] = document.pop("dead_letters")  # the published name of this field
    found: dict[str, Any] = json.loads(json.dumps(document, default=lambda moment: moment.isoformat()))
    return found


def _size(size: float) -> str:
    for unit in _UNITS:
        if size < _UNIT or unit == _UNITS[-1]:
            break
        size /= _UNIT
    return f"{size:.0f} {unit}" if unit == _UNITS[0] else f"{size:.1f} {unit}"


def _no_report(_progress: RebuildProgress) -> None:
    """Report nothing: a switch applies only a few events."""
