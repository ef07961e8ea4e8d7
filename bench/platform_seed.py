"""Credentials as in an installation: 100 in each account, at eight registries, some restricted to projects.

They are written by COPY instead of the API, but completely: streams, events with positions in the log, the
rows for resolutions, and encrypted secrets. The checkpoint of the verifier is after them, so that it does not
log in.
"""

import random  # noqa: TID251 the same credentials each time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, LiteralString
from uuid import UUID

import psycopg
from psycopg_pool import ConnectionPool

from chassis.secret import Secret
from contracts.credential_events import (
    CredentialAdded,
    Details,
    Registry,
    Restrictions,
    Scope,
    SecretReference,
)
from credentials.current_row import Authenticate, authenticate_rows, authentication_code
from eventlog.events import Actor, Metadata, encode, encode_metadata
from registries.logins.registry_login import RegistryLogin
from secretstore.encrypted_table import EncryptedStore
from secretstore.keyfile import KeyFile
from secretstore.store import SecretPath, SecretStore

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
PER_ACCOUNT = 100
HOSTS = (
    ("dockerhub", "docker.io"),
    ("github", "ghcr.io"),
    ("gitlab", "registry.gitlab.com"),
    ("quay", "quay.io"),
    ("gar", "europe-west3-docker.pkg.dev"),
    ("harbor", "harbor.acme.example"),
    ("custom", "registry.acme.example:5000"),
    ("gitea", "git.acme.example"),
)


@dataclass(frozen=True, slots=True)
class Seeded:
    """The `turn`-th credential (from 0) of its account at its registry.

    The first one has no prefixes and no restrictions, so that every image has an eligible credential.
    """

    credential_id: UUID
    account_id: str
    turn: int
    provider: str
    host: str

    @property
    def details(self) -> Details:
        everything = self.turn % 3 == 0
        return Details(
            name=f"{self.provider} {self.turn}",
            description="pulls of the shop",
            scope=Scope(pull=True, push=self.turn % 2 == 1),
            repository_prefixes=() if everything else (f"team-{self.turn}/shop", f"team-{self.turn}/base"),
            expires_at=BEGIN + timedelta(days=3650) if self.turn % 5 == 4 else None,
        )

    @property
    def restrictions(self) -> Restrictions:
        restricted = self.turn % 4 == 3
        return Restrictions(restricted=restricted, projects=("web", f"web-{self.turn}") if restricted else ())

    @property
    def login(self) -> RegistryLogin:
        return RegistryLogin(username="octo", password=Secret(f"password of {self.credential_id}"))


def seeded(number: int) -> Iterator[Seeded]:
    """Generate `number` credentials, the same in each call."""
    chance = random.Random(11)
    for place in range(number):
        provider, host = HOSTS[place % len(HOSTS)]
        turn = place % PER_ACCOUNT // len(HOSTS)
        account_id = f"account-{place // PER_ACCOUNT}"
        yield Seeded(UUID(int=chance.getrandbits(128), version=4), account_id, turn, provider, host)


_CURRENT_COLUMNS = (
    "credential_id, account_id, name, provider, registry_host, repository_prefixes, pull, push, restricted,"
    " projects, secret_version, expires_at, version, added_at, verified_version, verification_code, mac"
)


def seed(url: str, credentials: Sequence[Seeded], keys: KeyFile) -> None:
    """Write them into a prepared, empty database, with their secrets in its encrypted table."""
    authenticate = authenticate_rows(keys)
    with psycopg.connect(url) as connection:
        # Otherwise foreign keys are checked for each row.
        connection.execute("SET session_replication_role = replica")
        _copy(
            connection,
            "es.streams (stream_id, account_id, category, version)",
            ((one.credential_id, one.account_id, "credential", 1) for one in credentials),
        )
        _copy(
            connection,
            "es.events (event_id, stream_id, version, type, schema_version, data, meta)",
            ((UUID(int=place), *_event(one)) for place, one in enumerate(credentials)),
        )
        _copy(
            connection,
            f"credentials.current ({_CURRENT_COLUMNS})",
            (_current(one, authenticate) for one in credentials),
        )
    with psycopg.connect(url, autocommit=True) as connection:
        _assign_positions(connection)
        connection.execute(
            "INSERT INTO es.checkpoints (consumer, position) SELECT 'verifier', max(position) FROM es.log"
        )
    options = {"autocommit": True, "options": "-c synchronous_commit=off"}
    with ConnectionPool(url, kwargs=options, min_size=1, max_size=1) as pool:
        store_secrets(EncryptedStore(pool, keys), credentials)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def store_secrets(store: SecretStore, credentials: Iterable[Seeded]) -> None:
    """Store the logins, each as version 1."""
    for one in credentials:
        path = SecretPath(one.account_id, one.credential_id)
        store.put(path, one.login.to_secret(), write_id=str(one.credential_id), expected_version=0)


def _copy(connection: psycopg.Connection[Any], columns: LiteralString, rows: Iterable[Sequence[Any]]) -> None:
    with connection.cursor() as cursor, cursor.copy(f"COPY {columns} FROM STDIN") as copy:
        for row in rows:
            copy.write_row(row)


def _assign_positions(connection: psycopg.Connection[Any]) -> None:
    epoch = connection.execute("SELECT es.lead()").fetchone()
    position, before = 0, -1
    while position > before:
        before = position
        row = connection.execute("SELECT es.sequence(%s, 5000)", epoch).fetchone()
        position = row[0] if row else before


def _event(one: Seeded) -> tuple[UUID, int, str, int, str, str]:
    name, schema_version, data = encode(
        CredentialAdded(
            credential_id=one.credential_id,
            registry=Registry(provider=one.provider, host=one.host, location=None),
            username=one.login.username,
            secret=SecretReference(version=1, kind="username_password", fingerprint="f" * 32),
            details=one.details,
            restrictions=one.restrictions,
        )
    )
    metadata = Metadata(
        account_id=one.account_id,
        actor=Actor(type="user", id="user-1", name="Ada Lovelace"),
        occurred_at=BEGIN,
        request_id="seed",
        correlation_id="seed",
    )
    return one.credential_id, 1, name, schema_version, data.decode(), encode_metadata(metadata).decode()


def _current(one: Seeded, authenticate: Authenticate) -> list[Any]:
    """The row of `_CURRENT_COLUMNS`."""
    details, restrictions = one.details, one.restrictions
    row = {
        "credential_id": one.credential_id,
        "account_id": one.account_id,
        "name": details.name,
        "provider": one.provider,
        "registry_host": one.host,
        "repository_prefixes": list(details.repository_prefixes),
        "pull": details.scope.pull,
        "push": details.scope.push,
        "restricted": restrictions.restricted,
        "projects": list(restrictions.projects),
        "secret_version": 1,
        "expires_at": details.expires_at,
        "version": 1,
        "added_at": BEGIN,
        "verified_version": 0 if one.turn % 6 == 5 else 1,
        "verification_code": "bad_credential" if one.turn == 2 else None,
    }
    row["mac"] = authentication_code(row, authenticate)
    return [row[name] for name in _CURRENT_COLUMNS.split(", ")]
