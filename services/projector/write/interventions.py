"""Interventions of operators: dead letters of the live generation, and erasure in retired generations."""

from chassis.database import Connection
from eventlog.dead_letters import DeadLetter, record
from eventlog.storage import PersonalKeys
from projector.write import dead_letters
from projector.write.batch_writer import lock_number
from projector.write.erasure import erase_rows
from projector.write.generations import generations

PROJECTOR = "projector"


class GenerationNotLive(Exception):
    """Only the live generation is redriven. A rebuild or switch applies the events to another one."""

    def __init__(self, consumer: str) -> None:
        super().__init__(f"{consumer} is not the live generation; switch to it, or rebuild the read models")


def full_name(connection: Connection, consumer: str) -> str:
    """The consumer name in `es.dead_letters`. `projector` stands for the live generation."""
    if consumer != PROJECTOR:
        return consumer
    row = connection.execute("SELECT generation FROM rm.generations WHERE status = 'live'").fetchone()
    return f"{PROJECTOR}:{row[0]}" if row else consumer


def is_projector(consumer: str) -> bool:
    return consumer.startswith(f"{PROJECTOR}:")


def redrive_stream(
    connection: Connection, dead_letter: DeadLetter, *, person: str, personal: PersonalKeys | None = None
) -> dead_letters.RedriveResult:
    """Apply the dead letters of the same stream in order, up to the first one that fails again.

    Raises:
        GenerationNotLive.
    """
    _check_live(connection, dead_letter.consumer)
    record(connection, dead_letter, "redriven", person=person, remark=None)
    return dead_letters.redrive(connection, dead_letter.stream_id, personal)


def discard(connection: Connection, dead_letter: DeadLetter, *, person: str, remark: str) -> None:
    """Delete the dead letter. Later events of the stream can then be redriven.

    Raises:
        GenerationNotLive.
    """
    _check_live(connection, dead_letter.consumer)
    with connection.transaction():
        record(connection, dead_letter, "discarded", person=person, remark=remark)
        dead_letters.discard(connection, dead_letter.position)


def _check_live(connection: Connection, consumer: str) -> None:
    if consumer != full_name(connection, PROJECTOR):
        raise GenerationNotLive(consumer)


def erase_in_retired(connection: Connection, account_id: str) -> None:
    """Erase an account's personal data in retired generations, to which the projector applies no events."""
    for found in generations(connection):
        if found.status == "retired":
            with connection.transaction():
                lock_number(found.generation)(connection)
                erase_rows(connection, found.generation, account_id)
