"""The work of the commands of `regcred log` (ADR 8)."""

import json
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

import click
import psycopg

from chassis.runtime.clock import now
from chassis.settings.environment import Settings
from credentials.relay.lost_events import find_lost_events
from credentials.state.rebuild import rebuild_state as write_state
from eventlog.broker import MessagingError, forget_last_published
from eventlog.integrity import (
    START,
    Anchor,
    ChainVerification,
    Checkpoint,
    IntegrityError,
    Link,
    LogReader,
    NoSuchPosition,
    create_key,
    key_id,
    load_private,
    load_public,
    open_checkpoint,
    public_path,
    read_export,
    sign_checkpoint,
    verify_chain,
    write_export,
)
from eventlog.storage import adopt_log
from operations.command_errors import CheckInconclusive, refused
from operations.log.database import log_database
from operations.log.state import NAMED, StateReport, compare_state
from regcred.cli.errors import OutputUnwritable
from secretstore.installation import open_key_file_of

_BAR_STEPS = 1000  # rows between two updates of the progress bar


@dataclass(frozen=True, slots=True)
class LogReport:
    """The result of `regcred log verify`.

    `waiting` events have no position yet (`None` for a file). `state` is `None` if only the log was verified.
    """

    verification: ChainVerification
    checkpoint: Checkpoint | None
    waiting: int | None
    state: StateReport | None = None

    @property
    def intact(self) -> bool:
        return self.verification.fault is None and not (self.state and self.state.differences)

    @property
    def complete(self) -> bool:
        """Whether everything was compared that should be."""
        return self.state is None or self.state.not_compared is None

    def as_json(self) -> str:
        found = self.verification
        document = {
            "intact": self.intact,
            "complete": self.complete,
            "from": found.start.position + 1,
            "position": found.end.position,
            "hash": found.end.hash.hex(),
            "waiting": self.waiting,
            "checkpoint": found.checkpoint,
            "fault": asdict(found.fault) if found.fault else None,
            "state": asdict(self.state) if self.state else None,
        }
        return json.dumps(document, indent=2)

    def as_text(self) -> str:
        found = self.verification
        if found.fault is not None:
            where = f"at position {found.fault.position}" if found.fault.position else "outside the chain"
            return f"broken {where}: {found.fault.kind}: {found.fault.detail}"
        before, last = found.start.position, found.end.position
        what = (
            f"positions {before + 1} to {last}"
            if last > before
            else f"there are no events after position {before}"
        )
        lines = [f"intact: {what}", f"hash of the last: {found.end.hash.hex()}"]
        if self.checkpoint is not None:
            signed = self.checkpoint
            lines.append(
                f"as signed up to position {signed.anchor.position} by {signed.key_id} at {signed.time}"
            )
        if self.waiting:
            lines.append(f"not verified, because they have no position yet: {self.waiting}")
        if self.state is not None:
            lines += self.state.lines()
        return "\n".join(lines)


def reported_errors() -> AbstractContextManager[None]:
    """Turn the errors of a check into a message and exit code 2."""
    return refused(IntegrityError, MessagingError, OutputUnwritable, refusal=CheckInconclusive)


def verify(
    *, first: int, checkpoint: tuple[Path, Path] | None, exported: Path | None, without_keys: bool
) -> LogReport:
    """Verify the log from position `first`. `checkpoint`: the files of a checkpoint and of its public key.

    `without_keys`: compare only what needs no key file.
    """
    signed = None
    if checkpoint is not None:
        document, key = checkpoint
        signed = open_checkpoint(document.read_bytes(), load_public(key))
    anchor = signed.anchor if signed else None
    if exported is not None:
        with exported.open("rb") as file:
            links = read_export(file)
            start = _skip_to(links, first)
            return LogReport(_verify(links, start, anchor, None), signed, None)
    with log_database(_settings()) as url, LogReader.snapshot(url) as reader:
        start = reader.anchor_at(first - 1)
        length = reader.end().position - start.position
        found = _verify(reader.links(start.position), start, anchor, length)
        if found.fault is None:
            found = found.with_fault(reader.fault_outside_chain())
        waiting = reader.waiting_for_position()
        # What is derived from the log cannot be compared with a broken log, or with a part of it.
        state = None
        if first == 1 and found.fault is None:
            state = compare_state(url, _settings(), without_keys=without_keys)
        return LogReport(found, signed, waiting, state)


def export(file: BinaryIO) -> int:
    """Write the complete log, and return the number of its events."""
    with log_database(_settings()) as url, LogReader.snapshot(url) as reader:
        return write_export(reader.links(0), file)


def checkpoint(key_file: Path | None) -> bytes:
    """Return a signed checkpoint of the end of the log."""
    key = load_private(key_file or _default_key_file())
    with log_database(_settings()) as url, LogReader.snapshot(url) as reader:
        return sign_checkpoint(reader.end(), key, time=now())


def keygen(key_file: Path | None) -> tuple[Path, Path, str]:
    """Create a key pair. Return the files of both keys, and the key id."""
    path = key_file or _default_key_file()
    return path, public_path(path), key_id(create_key(path))


def adopt() -> str:
    """Adopt the log, and return a sentence with the result."""
    with log_database(_settings()) as url:
        adopted = adopt_log(url)
    if adopted is None:
        return "nothing to do: this cluster's transaction ids are ahead of the log, and no event was skipped"
    return (
        f"adopted: the log ends at position {adopted.position},"
        f" {adopted.assigned} events got their positions now"
    )


def accept_loss() -> str:
    """Let publishing continue although published events are lost, and return a sentence with the result."""
    settings = _settings()
    if settings.broker_url is None:
        return "nothing to do: REGCRED_BROKER_URL is not set, so no event was published"
    with (
        log_database(settings) as url,
        psycopg.connect(url, autocommit=True, connect_timeout=5) as connection,
    ):
        lost = find_lost_events(connection, settings.broker_url)
    if lost is None:
        return "nothing to do: the log has the last published event"
    forget_last_published(settings.broker_url)
    return (
        f"publishing continues after position {lost.common}. Other events were published with positions"
        f" {lost.common + 1} to {lost.last}: consumers must forget these positions"
    )


def rebuild_state() -> str:
    """Write the state of credentials again, and return a sentence with the result."""
    settings = _settings()
    with log_database(settings) as url:
        rebuilt = write_state(url, open_key_file_of(url, settings.key_file))
    changed = rebuilt.changed
    lines = [f"{changed} rows differed from the log and were written again"] if changed else []
    lines += [
        f"{credential_id} was not written, because another credential has taken its name meanwhile:"
        " rename one of the two, and repeat this"
        for credential_id in rebuilt.name_taken[:NAMED]
    ]
    if len(rebuilt.name_taken) > NAMED:
        lines.append(f"and {len(rebuilt.name_taken) - NAMED} more for the same reason")
    return "\n".join(lines) or "no row differed"


def public_key_file(key_file: Path | None) -> Path:
    """The file of the public key that belongs to a private key."""
    return public_path(key_file or _default_key_file())


def _verify(
    links: Iterable[Link], start: Anchor, checkpoint: Anchor | None, length: int | None
) -> ChainVerification:
    with click.progressbar(
        links,
        length=length,
        label="verifying",
        file=sys.stderr,
        hidden=not sys.stderr.isatty(),
        update_min_steps=_BAR_STEPS,
    ) as rows:
        return verify_chain(rows, start=start, checkpoint=checkpoint)


def _skip_to(links: Iterator[Link], first: int) -> Anchor:
    if first == 1:
        return START
    for link in links:
        if link.position == first - 1:
            return Anchor(link.position, link.hash)
    raise NoSuchPosition(first - 1)


def _default_key_file() -> Path:
    return _settings().home / "log-key.pem"


def _settings() -> Settings:
    return Settings.from_environment(os.environ)
