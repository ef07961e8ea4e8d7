"""A process writes late what changes: what it leaves is undone, and nobody goes on from half of its rows."""

import psycopg
import pytest

from projector import generations, sharding
from projector.applying import Application, LeftBehind
from projector.projections.reading import read
from projector.rebuilding import Progress, rebuild
from projector.sharding import ShardGone, ShardLock
from projector.workers import build_shard
from shared.events.codec import encode
from shared.eventstore.log import read_log_of
from tests.integration.projector import lives
from tests.integration.projector.lives import Connection, Log, content
from tests.integration.projector.sharded import fill, follow, interrupted, parked


def test_what_a_process_has_left_half_written_is_done_again(
    log: Log, projector: Connection, database_url: str
) -> None:
    head = fill(log, 60)
    follow(projector)
    number = interrupted(projector, head)
    [shard] = [one for one in sharding.shards(projector, number) if "acme" in one.accounts]
    events = read_log_of(projector, shard.accounts, 0, head, head)
    dying = Application(ShardLock(shard), copying=True, whole_every=3)
    for some in (events[:40], events[40:]):
        dying.advance(projector, [read(event) for event in some])
    left = content(projector, number)
    assert left["audit_events"]
    assert left["verifications"]
    assert not left["credentials"]
    assert not left["usages"]
    assert len(parked(projector, number)) == 1
    assert generations.generation(projector, number).position == 0

    steps: list[Progress] = []
    assert rebuild(database_url, resume=True, switch=False, report=steps.append, processes=2) == number
    assert [step.position for step in steps] == sorted(step.position for step in steps)
    assert steps[0].position == 0
    assert content(projector, number) == content(projector, 1)
    assert parked(projector, number) == parked(projector, 1) != []
    with pytest.raises(ShardGone):
        dying.complete(projector)


def test_of_two_that_write_to_a_shard_one_is_left_behind(log: Log, projector: Connection) -> None:
    number = interrupted(projector, fill(log, 6))
    shard, _ = sharding.shards(projector, number)
    readings = [read(event) for event in read_log_of(projector, shard.accounts, 0, shard.until, 100)]

    def another() -> Application:
        return Application(ShardLock(shard), copying=True, whole_every=9)

    one = another()
    one.advance(projector, readings[:2])
    with pytest.raises(LeftBehind):
        another().advance(projector, readings[2:])  # the tables lack what `one` has put off
    sharding.go_back(projector, shard)
    other = another()
    other.advance(projector, readings[:4])
    for wanted in (lambda: one.complete(projector), lambda: one.advance(projector, readings[4:])):
        with pytest.raises(LeftBehind):
            wanted()
    other.complete(projector)
    with pytest.raises(LeftBehind):
        one.complete(projector)  # what it has put off is older than what the tables have
    another().advance(projector, readings[4:])


def test_what_is_refused_only_when_it_is_written_at_last_is_parked(
    log: Log, projector: Connection, database_url: str
) -> None:
    """Two accounts claim one credential, which only the table can tell: their processes know nothing of each
    other.
    """
    log.append_many([lives.added(1), lives.renamed(1, "crew")], lambda _: "globex")
    name, version, data = encode(lives.added(1, "stolen"))
    log.append_raw(lives.stream_of(lives.added(2)), name, data.decode(), version)
    head = log.sequence()
    number = interrupted(projector, head)
    first, second = sharding.shards(projector, number)
    claiming = Application(ShardLock(first), copying=True, whole_every=9)
    events = read_log_of(projector, first.accounts, 0, head, head)
    claiming.advance(projector, [read(event) for event in events])
    build_shard(database_url, second, None)
    with pytest.raises(psycopg.errors.UniqueViolation):
        claiming.complete(projector)

    build_shard(database_url, sharding.go_back(projector, first), None)
    sharding.join(projector, number)
    waiting_there = parked(projector, number)
    assert [position for position, _, _ in waiting_there] == [event.position for event in events]
    assert waiting_there[0][2] == "the database refused it: RowExists"
