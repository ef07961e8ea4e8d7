"""A batch folded in memory leaves the same rows as one statement after the other, however it is cut."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projector import sharding
from projector.applying import Application, lock_number
from projector.projections.reading import read
from projector.sharding import Shard, ShardLock
from shared.contracts.issuing_events import SecretRefused
from shared.events.envelope import StoredEvent
from tests.integration.projector import lives
from tests.integration.projector.lives import Connection, content, stored
from tests.integration.projector.naive import apply_all
from tests.support.postgres import migrated_database

CREDENTIALS = 3
FOLDED, NAIVE = 1, 2
ACCOUNTS = ("acme", "globex", "initech")
IMAGES = [f"ghcr.io/acme/shop:{number}" for number in range(60)]  # more than a usage keeps


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    """As the superuser, who may empty the tables between two examples."""
    with migrated_database() as url, psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT rm.create_generation(%s)", (NAIVE,))
        yield connection


@st.composite
def histories(draw: st.DrawFn) -> list[Any]:
    """Any order of any events; only that a credential is added once, and an outcome has its own id."""
    seen: set[int] = set()
    payloads: list[Any] = []
    for identity in range(draw(st.integers(1, 40))):
        number = draw(st.integers(1, CREDENTIALS))
        version = draw(st.integers(1, 3))
        kinds = ["renamed", "restricted", "rotated", "requested", "removed", "succeeded", "failed"]
        kinds += ["issued", "issued", "refused", "end_found"]
        kind = draw(st.sampled_from(kinds if number in seen else ["added", *kinds]))
        match kind:
            case "added":
                seen.add(number)
                payloads.append(lives.added(number, draw(st.text(max_size=5).map(_storable))))
            case "renamed":
                payloads.append(lives.renamed(number, draw(st.text(max_size=5).map(_storable))))
            case "restricted":
                payloads.append(
                    lives.restricted(number, *draw(st.lists(st.text("aB9", min_size=1, max_size=4))))
                )
            case "rotated":
                payloads.append(lives.rotated(number, version + 1))
            case "requested":
                payloads.append(lives.requested(number, version))
            case "removed":
                payloads.append(lives.removed(number))
            case "succeeded":
                payloads.append(lives.succeeded(number, identity, version))
            case "issued":
                images = draw(st.lists(st.sampled_from(IMAGES), min_size=1, max_size=3, unique=True))
                project = draw(st.sampled_from(["shop", "blog"]))
                payloads.append(lives.issued(number, identity, *images, project=project, version=version))
            case "refused":
                payloads.append(lives.refused(number, identity, draw(st.sampled_from(IMAGES))))
            case "end_found":
                payloads.append(lives.end_found(number, version))
            case _:
                payloads.append(lives.failed(number, identity, version))
    return payloads


def _storable(text: str) -> str:
    """A name of at least three characters; PostgreSQL has no NUL in its texts."""
    return "abc" + text.replace("\0", "")


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    payloads=histories(), cuts=st.lists(st.integers(1, 12), min_size=1, max_size=20), copying=st.booleans()
)
def test_any_batches_leave_what_single_events_leave(
    connection: Connection, payloads: list[Any], cuts: list[int], copying: bool
) -> None:
    empty(connection)
    events = stored(payloads)

    application = Application(lock_number(FOLDED), copying=copying)
    rest, at = events, 0
    while rest:
        size = cuts[at % len(cuts)]
        application.advance(connection, [read(event) for event in rest[:size]])
        rest, at = rest[size:], at + 1
    apply_all(connection, f"rm_g{NAIVE}", events)

    assert content(connection, FOLDED) == content(connection, NAIVE)
    row = connection.execute(
        "SELECT position FROM rm.generations WHERE generation = %s", (FOLDED,)
    ).fetchone()
    assert row == (len(events),)
    assert connection.execute("SELECT count(*) FROM es.parked").fetchone() == (0,)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    payloads=histories(),
    turns=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 12)), min_size=1, max_size=20),
    whole_every=st.integers(1, 5),
    deaths=st.sets(st.integers(0, 20)),
)
def test_shards_in_any_order_leave_what_single_events_leave(
    connection: Connection,
    payloads: list[Any],
    turns: list[tuple[int, int]],
    whole_every: int,
    deaths: set[int],
) -> None:
    """Writing is put off for some batches, and in some turns a process dies: another one takes its shard up."""
    empty(connection)
    events = stored(payloads, account_of)
    for number, account in enumerate(ACCOUNTS, start=1):
        connection.execute(
            "INSERT INTO rm.rebuild_shards (generation, shard, until, accounts) VALUES (%s, %s, %s, %s)",
            (FOLDED, number, len(events), [account]),
        )
    shards = sharding.shards(connection, FOLDED)

    def begun(shard: Shard) -> tuple[Application, list[StoredEvent]]:
        at = sharding.go_back(connection, shard)
        left = [
            event
            for event, payload in zip(events, payloads, strict=True)
            if account_of(payload) in at.accounts and (event.position or 0) > at.position
        ]
        return Application(ShardLock(at), copying=True, whole_every=whole_every), left

    work = [begun(shard) for shard in shards]
    at = 0
    while unfinished := [place for place, (_, left) in enumerate(work) if left]:
        turn, size = turns[at % len(turns)]
        place = unfinished[turn % len(unfinished)]
        application, left = work[place]
        application.advance(connection, [read(event) for event in left[:size]])
        del left[:size]
        if at in deaths:
            work[place] = begun(shards[place])
        at += 1
    apply_all(connection, f"rm_g{NAIVE}", events)

    assert sharding.note(connection, FOLDED) == len(events)
    with pytest.raises(RuntimeError, match="not finished"):
        sharding.join(connection, FOLDED)
    for shard, (application, _) in zip(shards, work, strict=True):
        application.complete(connection)
        sharding.finish(connection, shard)
    assert content(connection, FOLDED) == content(connection, NAIVE)
    sharding.join(connection, FOLDED)
    row = connection.execute(
        "SELECT position, (SELECT count(*) FROM rm.rebuild_shards) FROM rm.generations WHERE generation = %s",
        (FOLDED,),
    ).fetchone()
    assert row == (len(events), 0)
    assert connection.execute("SELECT count(*) FROM es.parked").fetchone() == (0,)


def empty(connection: Connection) -> None:
    for generation in (FOLDED, NAIVE):
        for table in lives.TABLES:
            connection.execute(f"TRUNCATE rm_g{generation}.{table}")
    connection.execute("UPDATE rm.generations SET position = 0")
    connection.execute("DELETE FROM rm.rebuild_shards")


def account_of(payload: Any) -> str:
    """A credential's, of all that is about it; a refusal is about none."""
    about = payload.issuance_id if isinstance(payload, SecretRefused) else payload.credential_id
    return ACCOUNTS[about.int % len(ACCOUNTS)]


def test_what_another_process_has_written_meanwhile_is_loaded_again(connection: Connection) -> None:
    empty(connection)
    events = stored(
        [lives.added(1), lives.renamed(1, "crew"), lives.restricted(1, "shop"), lives.requested(1, 1)]
    )
    one, other = (Application(lock_number(FOLDED), copying=True) for _ in range(2))
    for application, event in zip((one, one, other, one), events, strict=True):
        application.advance(connection, [read(event)])
    apply_all(connection, f"rm_g{NAIVE}", events)
    assert content(connection, FOLDED) == content(connection, NAIVE)
