"""What is applied and what is parked, before any database is asked."""

from uuid import UUID

from projector.write.application import WAITS, plan_batch
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


def test_a_failing_event_takes_the_later_ones_of_its_stream_with_it() -> None:
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


def test_every_event_has_its_row_of_the_trail() -> None:
    plan = plan_batch([a_reading(1, STREAM, "no"), a_reading(2, STREAM), a_reading(3, OTHER)], {OTHER})
    rows = [change for change in plan.changes if isinstance(change, Insert)]
    assert [row.values["position"] for row in rows] == [1, 2, 3]
    # The first knows the credential as it was; of the others, that is not known before a redrive.
    assert [bool(row.copied) for row in rows] == [True, False, False]
    assert rows[1].values["credential_name"] is None


def test_a_stream_that_waits_already_goes_on_waiting() -> None:
    plan = plan_batch([a_reading(1, STREAM), a_reading(2, OTHER, "no")], {STREAM, OTHER})
    assert plan.dead_letters == [(1, STREAM, WAITS), (2, OTHER, "no")]
