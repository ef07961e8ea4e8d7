"""The peer: the PyPI package `eventsourcing` with its PostgreSQL recorder, used as its documentation does."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate
from eventsourcing.persistence import Tracking
from eventsourcing.postgres import PostgresDatastore, PostgresTrackingRecorder
from eventsourcing.projection import Projection, ProjectionRunner
from psycopg.conninfo import conninfo_to_dict
from psycopg.sql import SQL

PROJECT_SECONDS = 600.0
_CREATE = "CREATE TABLE IF NOT EXISTS copies (id uuid PRIMARY KEY, version bigint, type text, data text)"


class Holder(Aggregate):
    """An aggregate whose events carry the type, payload and metadata of one of ours."""

    class Changed(Aggregate.Event):
        type: str
        data: str
        meta: str


class Keeping(Application[UUID]):
    """An application as the peer's documentation makes them; nothing is cached and no snapshots are taken."""


def environment(url: str, *, create: bool) -> dict[str, str]:
    """The peer's settings for that database: its defaults, with one connection. Only one process may `create`
    its tables, two at once fail.
    """
    known = conninfo_to_dict(url)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": str(known["dbname"]),
        "POSTGRES_HOST": str(known["host"]),
        "POSTGRES_PORT": str(known.get("port", 5432)),
        "POSTGRES_USER": str(known["user"]),
        "POSTGRES_PASSWORD": str(known.get("password", "none")),
        "POSTGRES_POOL_SIZE": "1",
        "CREATE_TABLE": "yes" if create else "no",
    }


def prepare_peer(url: str) -> None:
    """Create its tables."""
    Keeping(environment(url, create=True)).close()


class Copies(PostgresTrackingRecorder):
    """A materialised view as the peer's documentation makes them: one row for each aggregate, kept up to date
    in one transaction with the position that it has reached.
    """

    def __init__(self, datastore: PostgresDatastore, **options: Any) -> None:
        super().__init__(datastore, **options)
        self.sql_create_statements.append(SQL(_CREATE).format())

    def put(self, event: Any, tracking: Tracking) -> None:
        with self.datastore.transaction(commit=True) as cursor:
            self._insert_tracking(cursor, tracking)
            cursor.execute(
                "INSERT INTO copies VALUES (%s, %s, %s, %s) ON CONFLICT (id) DO UPDATE"
                " SET version = excluded.version, type = excluded.type, data = excluded.data",
                (event.originator_id, event.originator_version, _of(event, "type"), _of(event, "data")),
                prepare=True,
            )


class Copying(Projection[Copies]):
    """Every event changes its aggregate's row."""

    def process_event(self, domain_event: Any, tracking: Tracking) -> None:
        self.view.put(domain_event, tracking)


def project(url: str) -> int:
    """Build the view from the first event to the last; how many there were."""
    with ProjectionRunner(
        application_class=Keeping,
        projection_class=Copying,
        view_class=Copies,
        env=environment(url, create=True),
    ) as runner:
        last = runner.app.recorder.max_notification_id()
        runner.wait(last, timeout=PROJECT_SECONDS)
    return last or 0


def fill_peer(url: str, aggregates: int, events: int) -> None:
    """So many aggregates with so many events each, as large as ours."""
    application = Keeping(environment(url, create=True))
    for _ in range(aggregates):
        aggregate = Holder()
        for _ in range(events - 1):
            aggregate.trigger_event(Holder.Changed, type="credential.changed", data="x" * 350, meta="x" * 250)
        application.save(aggregate)
    application.close()


def _of(event: Any, name: str) -> str | None:
    """The first event of an aggregate has no fields of ours."""
    found: str | None = getattr(event, name, None)
    return found


def open_peer(url: str) -> tuple[Callable[[], Holder], Callable[[Holder, str, str, str], None]]:
    """What saves a new aggregate, and what saves one more event of an aggregate."""
    application = Keeping(environment(url, create=False))

    def new() -> Holder:
        aggregate = Holder()
        application.save(aggregate)
        return aggregate

    def change(aggregate: Holder, name: str, data: str, meta: str) -> None:
        aggregate.trigger_event(Holder.Changed, type=name, data=data, meta=meta)
        application.save(aggregate)

    return new, change
