"""`regcred deadletters`: list, show, redrive and discard dead letters."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any
from uuid import UUID

import click

from chassis.database import Connection
from chassis.settings.environment import Settings
from contracts.broker import TOPOLOGY
from eventlog import dead_letters
from eventlog.broker import BrokerUnavailable, RejectedMessage, discard_message, find_rejected_messages
from eventlog.dead_letters import DeadLetter
from eventlog.storage import EventStoreUnavailable, read_log
from operations.command_errors import OperationRefused, owner_connection, person
from projector.write import interventions
from projector.write.interventions import GenerationNotLive
from regcred.cli.confirmation import YES, check_confirmable, confirm
from regcred.cli.examples import examples
from regcred.cli.output import notice, print_fields, print_json, print_table
from secretstore.installation import compare_keys
from secretstore.keyfile import KeyFile
from secretstore.personal_keys import open_personal_keys

_POLL_SECONDS = 0.2
_WAIT_SECONDS = 30.0


_JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
_PERSON = click.option(
    "--as", "person", default=person, help="Your name, for the record. [default: your login]"
)


@click.group(
    epilog=examples(
        "regcred deadletters list",
        "regcred deadletters show verifier 4711",
        "regcred deadletters redrive verifier --all",
        "regcred deadletters redrive projector --stream 0b7c3c5e-6f2d-5d5e-9f57-1c1f6a1f0d11",
        'regcred deadletters discard verifier 4711 --reason "a test account, long gone"',
    )
)
def deadletters() -> None:
    """Inspect and retry events that a consumer could not handle.

    The consumers are `verifier`, `housekeeping` and `projector`. `publishing` has the messages that the
    broker refused. Messages that a queue rejected are listed under the name of the queue if
    REGCRED_BROKER_URL is set.
    """


@deadletters.command("list")
@click.option("--consumer", help="Only those of this consumer.")
@click.option("--limit", type=click.IntRange(min=1), default=500, show_default=True, help="Maximum number.")
@_JSON
def list_command(*, consumer: str | None, limit: int, as_json: bool) -> None:
    """List dead letters and pending retries.

    Of a stream whose events all wait, only the first event is listed. The others are counted.
    """
    with _opened() as (connection, settings):
        name = interventions.full_name(connection, consumer) if consumer else None
        found = dead_letters.find(connection, consumer=name, limit=limit + 1)
        messages = [one for one in _messages(settings) if consumer in (None, one.queue)]
    found, more = found[:limit], len(found) > limit
    if as_json:
        print_json(
            {
                "items": [_document(one) for one in found],
                "more": more,
                "messages": [_document(one) for one in messages],
            }
        )
        return
    rows: list[tuple[object, ...]] = [
        (
            one.consumer,
            one.position,
            one.type,
            f"retry at {_time(one.due_at)}" if one.due_at else "dead",
            one.attempts,
            one.followers or None,
            _time(one.since),
            one.reason,
        )
        for one in found
    ]
    rows += [
        (one.queue, one.id, one.type, "dead", 1, None, _time(one.since) if one.since else None, one.reason)
        for one in messages
    ]
    print_table(("CONSUMER", "EVENT", "TYPE", "STATE", "ATTEMPTS", "WAITING", "SINCE", "REASON"), rows)
    if more:
        notice(f"there are more than these {limit}; --limit shows more of them")


@deadletters.command("show")
@click.argument("consumer")
@click.argument("event")
@_JSON
def show_command(*, consumer: str, event: str, as_json: bool) -> None:
    """Show a dead letter with its event, by position.

    Events contain no secret. For a rejected message give its queue and id; the body is not shown.
    """
    with _opened() as (connection, settings):
        if consumer in TOPOLOGY.dead_letter_queues:
            document = _document(_message(settings, consumer, event))
        else:
            letter = _letter(connection, consumer, event)
            [stored] = read_log(connection, letter.position - 1, 1)
            later = dead_letters.followers(connection, letter)
            document = {
                **_document(letter),
                "event": {
                    "id": str(stored.event_id),
                    "stream": f"{stored.stream.category} {stored.stream.id}",
                    "version": stored.version,
                    "type": stored.type,
                    "schema_version": stored.schema_version,
                    "recorded_at": stored.recorded_at.isoformat(),
                    "data": json.loads(stored.payload),
                    "meta": json.loads(stored.metadata),
                },
                "waiting": [{"position": position, "type": kind} for position, kind in later],
                "interventions": [_document(one) for one in dead_letters.interventions(connection, letter)],
            }
    if as_json:
        print_json(document)
    else:
        print_fields((name.upper(), _readable(value)) for name, value in document.items())


@deadletters.command("redrive")
@click.argument("consumer")
@click.argument("event", required=False)
@click.option("--stream", type=click.UUID, help="All dead letters of this stream.")
@click.option("--all", "everything", is_flag=True, help="All dead letters of this consumer.")
@click.option(
    "--wait", type=click.FloatRange(min=0), default=_WAIT_SECONDS, help="Seconds to wait for the result."
)
@_PERSON
@_JSON
def redrive_command(
    *,
    consumer: str,
    event: str | None,
    stream: UUID | None,
    everything: bool,
    wait: float,
    person: str,
    as_json: bool,
) -> None:
    """Retry events now, in the order of the log.

    The running consumer retries them within a second. For the projector this is always a complete stream, up
    to the first event that fails again. Exit code 3: some failed again, or were not retried in time.
    """
    if sum((event is not None, stream is not None, everything)) != 1:
        raise click.UsageError("give one of EVENT, --stream and --all")
    if consumer in TOPOLOGY.dead_letter_queues:
        raise OperationRefused(
            "a rejected message cannot be redriven, because the log has its event: discard it"
        )
    with _opened() as (connection, settings):
        if event is not None:
            selected = [_letter(connection, consumer, event)]
        else:
            name = interventions.full_name(connection, consumer)
            selected = dead_letters.find(connection, consumer=name, stream_id=stream)
        if not selected:
            click.echo("nothing to redrive")
            return
        if interventions.is_projector(selected[0].consumer):
            done, left = _redrive_streams(connection, settings, selected, person)
        else:
            done, left = _redrive_events(connection, selected, person, wait)
    if as_json:
        print_json({"done": done, "left": left})
    else:
        click.echo(f"{done} done, {left} left")
    if left:
        raise SystemExit(3)


@deadletters.command("discard")
@click.argument("consumer")
@click.argument("event")
@click.option("--reason", required=True, help="The reason, which is recorded.")
@YES
@_PERSON
def discard_command(*, consumer: str, event: str, reason: str, yes: bool, person: str) -> None:
    """Discard a dead letter permanently.

    The consumer will not handle the event. The event itself stays in the log.
    """
    check_confirmable(yes=yes)
    with _opened() as (connection, settings):
        if consumer in TOPOLOGY.dead_letter_queues:
            message = _message(settings, consumer, event)
            confirm(f"Discard message {message.id} of {consumer}?", yes=yes)
            _discard_message(connection, settings, message, person=person, remark=reason)
            return
        letter = _letter(connection, consumer, event)
        confirm(
            f"Discard {letter.type} at {letter.position} ({letter.reason}) of {letter.consumer}?", yes=yes
        )
        owner = interventions if interventions.is_projector(letter.consumer) else dead_letters
        owner.discard(connection, letter, person=person, remark=reason)
    click.echo(f"{letter.consumer} will not handle {letter.type} at {letter.position}")


def _redrive_streams(
    connection: Connection, settings: Settings, selected: list[DeadLetter], person: str
) -> tuple[int, int]:

    keys = KeyFile.load(settings.key_file)
    compare_keys(keys, connection)
    personal = open_personal_keys(keys)
    done = left = 0
    for letter in selected:
        result = interventions.redrive_stream(connection, letter, person=person, personal=personal)
        done, left = done + result.applied, left + result.left
        remainder = f"{result.left} left: {result.reason}" if result.left else "none left"
        click.echo(f"stream {letter.stream_id}: {result.applied} applied, {remainder}", err=True)
    return done, left


def _redrive_events(
    connection: Connection, selected: list[DeadLetter], person: str, seconds: float
) -> tuple[int, int]:
    dead_letters.redrive(connection, selected, person=person)
    deadline, reported = time.monotonic() + seconds, -1
    while True:
        state = dead_letters.progress(connection, selected)
        retried = state.total - state.waiting
        if retried != reported:
            click.echo(f"{retried} of {state.total} retried, {state.failed} failed again", err=True)
            reported = retried
        if not state.waiting or time.monotonic() >= deadline:
            return retried - state.failed, state.waiting + state.failed
        time.sleep(_POLL_SECONDS)


def _discard_message(
    connection: Connection, settings: Settings, message: RejectedMessage, *, person: str, remark: str
) -> None:

    # Recorded first: a record without a discarded message is better than a discarded message without a
    # record.
    dead_letters.record_discarded_message(
        connection, message.queue, message.id, reason=message.reason, person=person, remark=remark
    )
    if discard_message(settings.broker_url or "", message.queue, message.id) is None:
        raise OperationRefused("the message is no longer in the queue")
    click.echo(f"message {message.id} is removed from {message.queue}")


def _letter(connection: Connection, consumer: str, event: str) -> DeadLetter:

    if not (event.isascii() and event.isdecimal() and len(event) <= 18):  # noqa: PLR2004 fits a bigint
        raise click.UsageError("EVENT must be a position; `regcred deadletters list` shows it")
    name = interventions.full_name(connection, consumer)
    found = dead_letters.find(connection, consumer=name, position=int(event))
    if not found:
        raise OperationRefused(f"{name} has no dead letter at {event}")
    return found[0]


def _message(settings: Settings, queue: str, message_id: str) -> RejectedMessage:
    for message in _messages(settings):
        if (message.queue, message.id) == (queue, message_id):
            return message
    raise OperationRefused(f"{queue} has no message {message_id}")


def _messages(settings: Settings) -> list[RejectedMessage]:
    if not settings.broker_url:
        return []

    try:
        return find_rejected_messages(settings.broker_url, TOPOLOGY.dead_letter_queues)
    except BrokerUnavailable as error:
        notice(f"the queues could not be read: {error}")
        return []


@contextmanager
def _opened() -> Iterator[tuple[Connection, Settings]]:
    """Connect to the database as its owner."""
    try:
        with owner_connection("deadletters", GenerationNotLive) as opened:
            yield opened
    except EventStoreUnavailable:
        raise OperationRefused("the read models were switched meanwhile: try again") from None


def _document(item: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(json.dumps(asdict(item), default=_plain))
    return found


def _plain(value: Any) -> str:
    return str(value.isoformat() if hasattr(value, "isoformat") else value)


def _readable(value: Any) -> Any:
    return json.dumps(value, indent=2) if value and isinstance(value, (dict, list)) else value


def _time(moment: Any) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
