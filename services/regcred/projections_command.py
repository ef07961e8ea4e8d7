"""`regcred projections`: look at read models, build them anew from the log, show readers another generation.

What does the work is imported by the commands, so that the client starts without it.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from time import monotonic
from typing import TYPE_CHECKING, Any, Self

import click

from regcred.client.examples import examples
from regcred.client.output import print_json, print_table

if TYPE_CHECKING:
    from projector.generations import Generation
    from projector.rebuilding import Progress
    from shared.eventstore.personal_keys import PersonalKeys

_LINE_SECONDS = 5.0  # between two lines where nobody watches a bar
_JSON = click.option("--json", "as_json", is_flag=True, help="Answer as JSON.")
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
    """Rebuild read models while they are read."""


@projections.command("list")
@_JSON
def list_command(*, as_json: bool) -> None:
    """List the generations of the read models.

    A degraded one has events set aside that it could not apply.
    """
    with _database() as url:
        found = _generations(url)
    if as_json:
        print_json({"items": [_document(generation) for generation in found]})
        return
    print_table(
        ("GENERATION", "STATUS", "POSITION", "LAG", "PARKED", "SIZE"),
        [
            (
                generation.generation,
                f"{generation.status}, degraded" if generation.degraded else generation.status,
                generation.position,
                f"{generation.lag.events} events, {generation.lag.seconds:.1f} s",
                generation.parked,
                _size(generation.size),
            )
            for generation in found
        ],
    )


@projections.command("rebuild")
@click.option("--switch/--no-switch", default=None, help="Let readers see it at the end, or not.")
@click.option("--resume", is_flag=True, help="Go on with one that was interrupted.")
@_JSON
def rebuild_command(*, switch: bool | None, resume: bool, as_json: bool) -> None:
    """Build a new generation from the log.

    Readers and writers go on meanwhile. Without --switch or --no-switch it asks at the end if somebody sits
    at a terminal, else the generation stays `building`: `regcred projections switch` takes it up.
    """
    from projector import rebuilding  # noqa: PLC0415 see above

    with _database() as url:
        personal = _personal()
        began = monotonic()
        with _Watching() as watching:
            number = rebuilding.rebuild(
                url,
                resume=resume,
                switch=bool(switch),
                report=watching.report,
                personal=personal,
            )
        seconds = monotonic() - began
        if switch is None and sys.stdin.isatty() and click.confirm(f"Let readers see generation {number}?"):
            rebuilding.switch(url, number, report=_nobody, personal=personal)
        [built] = [one for one in _generations(url) if one.generation == number]
    rate = watching.applied / seconds
    if as_json:
        print_json({**_document(built), "events": watching.applied, "seconds": round(seconds, 3)})
    else:
        click.echo(
            f"generation {number} is {built.status} at position {built.position}:"
            f" {watching.applied:,} events in {seconds:.1f} s ({rate:,.0f}/s)"
        )


@projections.command("switch")
@click.argument("generation", type=click.IntRange(min=1))
@_JSON
def switch_command(*, generation: int, as_json: bool) -> None:
    """Let readers see another generation.

    It is caught up first, also a retired one. No reader sees an older state than before.
    """
    from projector import rebuilding  # noqa: PLC0415 see above

    with _database() as url:
        with _Watching() as watching:
            rebuilding.switch(url, generation, report=watching.report, personal=_personal())
        [live] = [one for one in _generations(url) if one.generation == generation]
    if as_json:
        print_json(_document(live))
    else:
        click.echo(f"generation {generation} is live at position {live.position}")


@projections.command("drop")
@click.argument("generation", type=click.IntRange(min=1))
def drop_command(*, generation: int) -> None:
    """Remove a retired or abandoned generation.

    The live one is refused.
    """
    from projector import generations  # noqa: PLC0415 see above
    from projector.building import connect  # noqa: PLC0415

    with _database() as url, connect(url) as connection:
        generations.drop(connection, generation)
    click.echo(f"generation {generation} is gone")


class _Watching:
    """Shows how far it is on standard error: a bar on a terminal, a line now and then elsewhere."""

    def __init__(self) -> None:
        self.applied = 0
        self._first: int | None = None
        self._began = self._told = monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            from rich.console import Console  # noqa: PLC0415 see above
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn  # noqa: PLC0415
            from rich.progress import TimeRemainingColumn as Remaining  # noqa: PLC0415

            self._bar = Progress(
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

    def report(self, progress: "Progress") -> None:
        if progress.indexes:
            self._tell_of_indexes(progress)
            return
        if self._first is None:
            self._first = progress.position
        self.applied = progress.position - self._first
        elapsed = max(monotonic() - self._began, 0.001)
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
        elif monotonic() - self._told >= _LINE_SECONDS:
            self._told = monotonic()
            left = (progress.head - progress.position) / rate if rate else 0.0
            click.echo(
                f"generation {progress.generation}: {progress.position:,} of {progress.head:,} events,"
                f" {rate:,.0f}/s, {left:.0f} s left",
                err=True,
            )

    def _tell_of_indexes(self, progress: "Progress") -> None:
        left = f"generation {progress.generation}: {progress.indexes} indexes left to make"
        if self._bar is not None and self._task is not None:
            self._bar.update(self._task, description=left)
        elif monotonic() - self._told >= _LINE_SECONDS:
            self._told = monotonic()
            click.echo(left, err=True)


@contextmanager
def _database() -> Iterator[str]:
    """The URL of the database; what is refused, or in the way, becomes a sentence and exit code 1."""
    import psycopg  # noqa: PLC0415 see above

    from projector.generations import AnotherAtWork, GenerationInUse, UnknownGeneration  # noqa: PLC0415
    from projector.rebuilding import ReadersInTheWay  # noqa: PLC0415
    from regcred.log_database import NoDatabase, log_database  # noqa: PLC0415
    from shared.runtime.logs import configure_logs  # noqa: PLC0415
    from shared.runtime.settings import InvalidSetting, Settings  # noqa: PLC0415
    from shared.secretstore.keyfile import KeyFileError  # noqa: PLC0415

    configure_logs("projections")
    try:
        with log_database(Settings.from_environment(os.environ)) as url:
            yield url
    except (AnotherAtWork, GenerationInUse, UnknownGeneration, ReadersInTheWay) as error:
        raise click.ClickException(str(error)) from None
    except (InvalidSetting, KeyFileError, NoDatabase) as error:
        raise click.ClickException(str(error)) from None
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        raise click.ClickException(
            "this database has no read models; `regcred migrate` prepares it"
        ) from None
    except psycopg.Error as error:
        raise click.ClickException(f"the database does not answer: {error}") from None


def _personal() -> "PersonalKeys":
    """What opens personal data in events."""
    from shared.personal.opening import open_key_file  # noqa: PLC0415 see above
    from shared.runtime.settings import Settings  # noqa: PLC0415

    return open_key_file(Settings.from_environment(os.environ).key_file)


def _generations(url: str) -> "list[Generation]":
    from projector import generations  # noqa: PLC0415 see above
    from projector.building import connect  # noqa: PLC0415

    with connect(url) as connection:
        return generations.generations(connection)


def _document(generation: "Generation") -> dict[str, Any]:
    document = {**asdict(generation), "degraded": generation.degraded}
    found: dict[str, Any] = json.loads(json.dumps(document, default=lambda moment: moment.isoformat()))
    return found


def _size(size: float) -> str:
    for unit in _UNITS:
        if size < _UNIT or unit == _UNITS[-1]:
            break
        size /= _UNIT
    return f"{size:.0f} {unit}" if unit == _UNITS[0] else f"{size:.1f} {unit}"


def _nobody(_progress: "Progress") -> None:
    """The last few events of a switch are not worth a bar."""
