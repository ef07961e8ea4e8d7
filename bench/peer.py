"""The peer: the PyPI package `eventsourcing` with its PostgreSQL recorder, used as in its documentation."""

from collections.abc import Callable
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate
from psycopg.conninfo import conninfo_to_dict


class Holder(Aggregate):
    """An aggregate whose events have type, payload and metadata of an event of regcred."""

    class Changed(Aggregate.Event):
        type: str
        data: str
        meta: str


class PeerApplication(Application[UUID]):
    """An application as in the documentation of the peer, without a cache and without snapshots."""


def environment(url: str, *, create: bool) -> dict[str, str]:
    """The settings of the peer for a database: its defaults, with one connection.

    Only one process may `create` the tables, because two at once fail.
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
    """Create the tables of the peer."""
    PeerApplication(environment(url, create=True)).close()


def open_peer(url: str) -> tuple[Callable[[], Holder], Callable[[Holder, str, str, str], None]]:
    """Return two functions: one saves a new aggregate, the other one more event of an aggregate."""
    application = PeerApplication(environment(url, create=False))

    def new() -> Holder:
        aggregate = Holder()
        application.save(aggregate)
        return aggregate

    def change(aggregate: Holder, name: str, data: str, meta: str) -> None:
        aggregate.trigger_event(Holder.Changed, type=name, data=data, meta=meta)
        application.save(aggregate)

    return new, change
