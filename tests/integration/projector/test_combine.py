"""Batches of any size that are combined in memory leave the same rows as single statements."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projector.write import generations
from projector.write.batch_writer import BatchWriter, RowWriter, lock_number
from projector.write.projections.projected_event import project
from projector.write.tables import Tables
from tests.integration.projector import payloads
from tests.integration.projector.payloads import Connection, content, stored
from tests.integration.projector.reference_projection import apply_all
from tests.support.postgres import migrated_database

CREDENTIALS = 3
COMBINED, REFERENCE = 1, 2
IMAGES = [f"ghcr.io/acme/shop:{number}" for number in range(60)]  # more than a usage stores


@pytest.fixture(scope="module")
def connection() -> Iterator[Connection]:
    """As the superuser, who may empty the tables between two examples."""
    with migrated_database() as url:
        assert generations.create(url) == REFERENCE
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection


@st.composite
def histories(draw: st.DrawFn) -> list[Any]:
    """Events in any order; a credential is added once, and an outcome has its own id."""
    seen: set[int] = set()
    drawn: list[Any] = []
    for identity in range(draw(st.integers(1, 40))):
        number = draw(st.integers(1, CREDENTIALS))
        version = draw(st.integers(1, 3))
        kinds = ["renamed", "restricted", "rotated", "requested", "removed", "succeeded", "failed"]
        kinds += ["issued", "issued", "refused", "end_found"]
        kind = draw(st.sampled_from(kinds if number in seen else ["added", *kinds]))
        match kind:
            case "added":
                seen.add(number)
                drawn.append(payloads.added(number, draw(st.text(max_size=5).map(_storable))))
            case "renamed":
                drawn.append(payloads.renamed(number, draw(st.text(max_size=5).map(_storable))))
            case "restricted":
                drawn.append(
                    payloads.restricted(number, *draw(st.lists(st.text("aB9", min_size=1, max_size=4))))
                )
            case "rotated":
                drawn.append(payloads.rotated(number, version + 1))
            case "requested":
                drawn.append(payloads.requested(number, version))
            case "removed":
                drawn.append(payloads.removed(number))
            case "succeeded":
                drawn.append(payloads.succeeded(number, identity, version))
            case "issued":
                images = draw(st.lists(st.sampled_from(IMAGES), min_size=1, max_size=3, unique=True))
                project = draw(st.sampled_from(["shop", "blog"]))
                drawn.append(payloads.issued(number, identity, *images, project=project, version=version))
            case "refused":
                drawn.append(payloads.refused(number, identity, draw(st.sampled_from(IMAGES))))
            case "end_found":
                drawn.append(payloads.end_found(number, version))
            case _:
                drawn.append(payloads.failed(number, identity, version))
    return drawn


def _storable(text: str) -> str:
    """A name of at least three characters; PostgreSQL has no NUL in its texts."""
    return "abc" + text.replace("\0", "")


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    drawn=histories(),
    cuts=st.lists(st.integers(1, 12), min_size=1, max_size=20),
    writer=st.sampled_from([Tables.insert, Tables.copy]),
)
def test_batches_and_single_events_have_the_same_result(
    connection: Connection, drawn: list[Any], cuts: list[int], writer: RowWriter
) -> None:
    empty(connection)
    events = stored(drawn)

    batch_writer = BatchWriter(lock_number(COMBINED), writer)
    rest, at = events, 0
    while rest:
        size = cuts[at % len(cuts)]
        batch_writer.advance(connection, [project(event) for event in rest[:size]])
        rest, at = rest[size:], at + 1
    apply_all(connection, f"rm_g{REFERENCE}", events)

    assert content(connection, COMBINED) == content(connection, REFERENCE)
    row = connection.execute(
        "SELECT position FROM rm.generations WHERE generation = %s", (COMBINED,)
    ).fetchone()
    assert row == (len(events),)
    assert connection.execute("SELECT count(*) FROM es.dead_letters").fetchone() == (0,)


def empty(connection: Connection) -> None:
    for generation in (COMBINED, REFERENCE):
        for table in payloads.TABLES:
            connection.execute(f"TRUNCATE rm_g{generation}.{table}")
    connection.execute("UPDATE rm.generations SET position = 0")
