"""Interventions of operators: dead letters of the live generation, and erasure in retired ones."""

from chassis.database import Connection
from eventlog.dead_letters import DeadLetter, record
from eventlog.storage import PersonalKeys
from projector.write import dead_letters
from projector.write.application import lock_number
from projector.write.erasure import erase_rows
from projector.write.generations import generations

PROJECTOR = "projector"


class NotLive(Exception):
    """A generation that readers do not see is not redriven: who switches to it catches it up."""

    def __init__(self, consumer: str) -> None:
        super().__init__(f"{consumer} is not what readers see; rebuild it, or switch to it")


def full_name(connection: Connection, consumer: str) -> str:
    """`projector` stands for the generation that readers see."""
    if consumer != PROJECTOR:
        return consumer
    row = connection.execute("SELECT generation FROM rm.generations WHERE status = 'live'").fetchone()
    return f"{PROJECTOR}:{row[0]}" if row else consumer


def is_projector(consumer: str) -> bool:
    return consumer.startswith(f"{PROJECTOR}:")


def redrive_stream(
    connection: Connection, letter: DeadLetter, *, person: str, personal: PersonalKeys | None = None
) -> dead_letters.Redriven:
    """Apply what waits in the letter's stream, in order, up to what fails again.

    Raises:
        NotLive.
    """
    _check_live(connection, letter.consumer)
    record(connection, letter, "redriven", person=person, remark=None)
    return dead_letters.redrive(connection, letter.stream_id, personal)


def discard(connection: Connection, letter: DeadLetter, *, person: str, remark: str) -> None:
    """Give it up for good; what waits behind it is free to be redriven.

    Raises:
        NotLive.
    """
    _check_live(connection, letter.consumer)
    with connection.transaction():
        record(connection, letter, "discarded", person=person, remark=remark)
        dead_letters.discard(connection, letter.position)


def _check_live(connection: Connection, consumer: str) -> None:
    if consumer != full_name(connection, PROJECTOR):
        raise NotLive(consumer)


def erase_in_retired(connection: Connection, account_id: str) -> None:
    """Erase an account in every retired generation: the projector does not apply events to these."""
    for one in generations(connection):
        if one.status == "retired":
            with connection.transaction():
                lock_number(one.generation)(connection)
                erase_rows(connection, one.generation, account_id)
