"""Which events are applied and which are dead-lettered, decided without a database."""

from uuid import UUID

from projector.write.batch_writer import WAITS, plan_batch
from projector.write.projections.changes import Insert, Update
from projector.write.projections.projected_event import ProjectedEvent

STREAM, OTHER, VERIFICATION = UUID(int=1), UUID(int=2), UUID(int=3)


def a_reading(
    position: int, stream: UUID, reason: str | None = None, *, about: UUID | None = None
) -> ProjectedEvent:
    row = Insert(
        "audit_events", {"position": position, "credential_id": about or stream}, {"credential_name": "name"}
    )
    changes = () if reason else (Update("credentials", about or stream, {}),)
    return ProjectedEvent(position, stream, (row,), changes, reason)


def test_a_failed_event_dead_letters_the_later_events_of_its_stream() -> None:
    plan = plan_batch(
        [
            a_reading(1, STREAM),
            a_reading(2, STREAM, "no"),
            a_reading(3, OTHER),
            a_reading(4, STREAM),
            a_reading(5, VERIFICATION, about=STREAM),
            a_reading(6, VERIFICATION, about=OTHER),
        ],
        set(),
    )
    assert plan.dead_letters == [(2, STREAM, "no"), (4, STREAM, WAITS), (5, STREAM, WAITS)]
    applied = [change.key for change in plan.changes if isinstance(change, Update)]
    assert applied == [STREAM, OTHER, OTHER]


def test_every_event_has_a_row_in_the_audit_trail() -> None:
    plan = plan_batch([a_reading(1, STREAM, "no"), a_reading(2, STREAM), a_reading(3, OTHER)], {OTHER})
    rows = [change for change in plan.changes if isinstance(change, Insert)]
    assert [row.values["position"] for row in rows] == [1, 2, 3]
    # The first row has the credential at that time. For the others it is unknown before a redrive.
    assert [bool(row.copied) for row in rows] == [True, False, False]
    assert rows[1].values["credential_name"] is None


def test_an_event_of_a_held_stream_is_dead_lettered() -> None:
    plan = plan_batch([a_reading(1, STREAM), a_reading(2, OTHER, "no")], {STREAM, OTHER})
    assert plan.dead_letters == [(1, STREAM, WAITS), (2, OTHER, "no")]
