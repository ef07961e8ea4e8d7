"""Service tokens on a real database: stored as hashes, revoked within two seconds, cached within limits."""

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from secrets import token_bytes

import psycopg
import pytest
from psycopg import errors as pg

from chassis.authentication import token_table
from chassis.authentication.token_row import TokenRow, row_code
from chassis.authentication.token_table import PostgresTokens, UnknownToken
from chassis.authentication.tokens import Principal, StoredToken, TokenScope, compose
from chassis.database import DatabaseUnavailable, Pool, open_pool, server_time
from chassis.ids import new_id
from chassis.secret import Secret
from contracts.account_events import AccountErased
from contracts.service_token_events import ServiceTokenRevoked
from contracts.streams import service_token_stream
from credentials.application.service_tokens import ServiceTokens
from credentials.postgres_tokens import PostgresTokenWriter
from eventlog.events import NewEvent
from eventlog.storage import EventStoreUnavailable, VersionConflict, append_request
from tests.support.tokens import metadata

START = datetime(2026, 1, 2, tzinfo=UTC)


@dataclass
class Clock:
    """The clock of the cache."""

    passed: float = 0.0

    def monotonic(self) -> float:
        return 1000.0 + self.passed


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def pool(database_url: str) -> Iterator[Pool]:
    with open_pool(database_url, role="regcred_credentials", size=2) as new_token:
        yield new_token


def digest(token: Secret) -> bytes:
    return sha256(b"pepper" + token.reveal().encode()).digest()


def row_mac(row: bytes) -> bytes:
    return sha256(b"row" + row).digest()


class Tokens(PostgresTokens):
    """The tokens, and what writes them."""

    def __init__(self, pool: Pool, clock: Clock) -> None:
        super().__init__(pool, keyed_hash=digest, authenticate_row=row_mac, monotonic=clock.monotonic)
        self.writer = PostgresTokenWriter(pool, None, row_mac, new_id=new_id)
        self.commands = ServiceTokens(
            self, self.writer, keyed_hash=digest, derive=lambda text: text, longest_life=None
        )

    def add(self, token: StoredToken) -> None:
        self.writer.create(token, metadata())

    def all(self, limit: int = 1000, after: str | None = None) -> list[StoredToken]:
        return self.page(EVERYTHING, limit=limit, after=after)

    def revoke(self, token_id: str) -> bool:
        return self.commands.revoke(EVERYTHING, token_id, metadata()) is not None


EVERYTHING = Principal(
    id="a test", name="a test", scopes=frozenset({TokenScope.ADMIN}), accounts=None, projects=None
)


def tokens_of(pool: Pool, clock: Clock) -> Tokens:
    return Tokens(pool, clock)


@pytest.fixture
def tokens(pool: Pool, clock: Clock) -> Tokens:
    return tokens_of(pool, clock)


Made = tuple[StoredToken, str]


def new_token(expires_at: datetime | None = None, accounts: frozenset[str] | None = None) -> Made:
    token_id, token = compose(token_bytes(38))
    stored = StoredToken(
        token_id=token_id,
        name="deploy",
        hash=digest(token),
        scopes=frozenset({TokenScope.CREDENTIALS_READ, TokenScope.AUDIT_READ}),
        accounts=accounts,
        projects=None if accounts is None else frozenset(),
        created_at=START,
        created_by="svc",
        expires_at=expires_at,
    )
    return stored, token.reveal()


@pytest.mark.parametrize("accounts", [None, frozenset(), frozenset({"acme", "umbrella"})])
def test_a_stored_token_is_found_with_all_its_fields(tokens: Tokens, accounts: frozenset[str] | None) -> None:
    stored, text = new_token(accounts=accounts)
    tokens.add(stored)
    assert tokens.authenticate(text) == stored.principal()
    assert stored in tokens.all()


def test_tokens_are_read_page_by_page_newest_first(tokens: Tokens) -> None:
    for _ in range(5):
        tokens.add(new_token()[0])
    everything = tokens.all()
    after, read = None, []
    while part := tokens.all(2, after):
        assert len(part) <= 2
        read += part
        after = part[-1].token_id
    assert read == everything
    assert len(read) >= 5
    with pytest.raises(UnknownToken):
        tokens.all(2, "unknown")


def test_a_malformed_or_unknown_token_is_not_found(tokens: Tokens) -> None:
    _, unknown = new_token()
    for text in (unknown, "", "rgcs_", unknown[:-1], "\0" * 64):
        assert tokens.authenticate(text) is None


def test_the_text_of_a_token_is_not_stored(tokens: Tokens, database_url: str) -> None:
    stored, text = new_token()
    tokens.add(stored)
    with psycopg.connect(database_url) as superuser:
        rows = superuser.execute("SELECT t::text FROM auth.tokens t").fetchall()
    assert text[15:58] not in repr(rows)


def test_adding_again_changes_nothing(tokens: Tokens, clock: Clock, pool: Pool) -> None:
    stored, text = new_token()
    tokens.add(stored)
    tokens.revoke(stored.token_id)
    with pytest.raises(VersionConflict):
        tokens.add(dataclasses.replace(stored, scopes=frozenset({TokenScope.ADMIN})))
    assert tokens_of(pool, clock).authenticate(text) is None


def test_a_token_revoked_by_this_process_is_refused_at_once(tokens: Tokens) -> None:
    stored, text = new_token()
    tokens.add(stored)
    assert tokens.authenticate(text) is not None
    assert tokens.revoke(stored.token_id)
    assert tokens.authenticate(text) is None
    assert not tokens.revoke(stored.token_id)
    assert not tokens.revoke("unknown99")


def test_a_token_revoked_by_another_process_is_refused_after_two_seconds(
    tokens: Tokens, pool: Pool, clock: Clock
) -> None:
    stored, text = new_token()
    tokens.add(stored)
    clock.passed = 0.5
    assert tokens.authenticate(text) is not None
    tokens_of(pool, clock).revoke(stored.token_id)
    clock.passed = 1.9
    tokens.authenticate(text)  # its use does not prolong the cache
    clock.passed = 2.5
    assert tokens.authenticate(text) is None


def test_a_token_expires_by_the_clock_of_the_database(
    tokens: Tokens, pool: Pool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while it is cached. The clock of a machine may be a day wrong."""
    monkeypatch.setattr(token_table, "CACHE_SECONDS", 7200.0)
    with pool.connection() as connection:
        time = server_time(connection)
    expired, text = new_token(expires_at=time)
    tokens.add(expired)
    assert tokens.authenticate(text) is None
    stored, text = new_token(expires_at=time + timedelta(hours=1))
    tokens.add(stored)
    assert tokens.authenticate(text) is not None
    clock.passed = 3601.0
    assert tokens.authenticate(text) is None


def test_a_cached_token_needs_no_database(database_url: str, clock: Clock, tokens: Tokens) -> None:
    stored, text = new_token()
    tokens.add(stored)
    with open_pool(database_url, role="regcred_query", size=1) as pool:
        other = tokens_of(pool, clock)
        assert other.authenticate(text) is not None
    assert other.authenticate(text) is not None  # the pool is closed
    clock.passed = 2.0
    with pytest.raises(DatabaseUnavailable):
        other.authenticate(text)


def test_the_cache_has_a_limit(tokens: Tokens, database_url: str) -> None:
    many = [new_token() for _ in range(1100)]
    with psycopg.connect(database_url) as owner, owner.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO auth.tokens (token_id, name, hash, scopes, created_at, created_by, mac)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s)",
            [
                (
                    stored.token_id,
                    stored.name,
                    stored.hash,
                    sorted(stored.scopes),
                    stored.created_at,
                    stored.created_by,
                    row_code(stored, 0, row_mac),
                )
                for stored, _ in many
            ],
        )
    for _, text in many:
        assert tokens.authenticate(text) is not None
        assert len(tokens._cache) <= 1000
    size = len(tokens._cache)
    for _ in range(50):
        tokens.authenticate(new_token()[1])  # guesses
    assert len(tokens._cache) == size


def test_an_unavailable_database_is_reported(clock: Clock) -> None:
    with open_pool("postgresql://nobody@127.0.0.1:1/none", role="regcred_query", size=1) as pool:
        pool.timeout = 0.2
        away = tokens_of(pool, clock)
        attempts: list[Callable[[], object]] = [
            lambda: away.authenticate(new_token()[1]),
            lambda: away.all(1),
            lambda: away.revoke("a"),
            lambda: away.add(new_token()[0]),
        ]
        for attempt in attempts:
            with pytest.raises((DatabaseUnavailable, EventStoreUnavailable)):
                attempt()
        assert away.authenticate("no token at all") is None  # needs no look-up


def test_the_query_role_reads_tokens_and_creates_none(database_url: str, clock: Clock) -> None:
    with open_pool(database_url, role="regcred_query", size=1) as pool:
        reader = tokens_of(pool, clock)
        assert isinstance(reader.all(1), list)
        with pytest.raises(pg.InsufficientPrivilege):
            reader.add(new_token()[0])
        with pytest.raises(pg.InsufficientPrivilege):
            reader.writer.revoke(TokenRow(new_token()[0], 1, None), 1, metadata())


@pytest.mark.parametrize("role", ["regcred_projector", "regcred_relay"])
def test_other_roles_read_no_tokens(database_url: str, role: str) -> None:
    with (
        psycopg.connect(database_url, options=f"-c role={role}") as connection,
        pytest.raises(pg.InsufficientPrivilege),
    ):
        connection.execute("SELECT token_id FROM auth.tokens")


CHANGES = {
    "scopes": "scopes = '{admin}'",
    "accounts": "accounts = NULL",
    "projects": "projects = NULL",
    "name": "name = 'another'",
    "hash": "hash = decode(repeat('00', 32), 'hex')",
    "created": "created_at = created_at - interval '1 day'",
    "creator": "created_by = 'another'",
    "expiry": "expires_at = NULL",
    "version": "version = 2",
    "code": "mac = NULL",
    "unknown scope": "scopes = array_append(scopes, 'another')",
    "doubled account": "accounts = accounts || accounts",
    "empty account": "accounts = array_append(accounts, NULL)",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_a_token_whose_row_was_changed_authenticates_nobody(
    tokens: Tokens, database_url: str, change: str
) -> None:
    stored, text = new_token(expires_at=datetime(2100, 1, 1, tzinfo=UTC), accounts=frozenset({"acme"}))
    tokens.add(stored)
    with psycopg.connect(database_url) as owner:
        owner.execute(f"UPDATE auth.tokens SET {change} WHERE token_id = %s", (stored.token_id,))  # noqa: S608 constants
    assert tokens.authenticate(text) is None


def test_a_row_from_before_the_revocation_authenticates_nobody(tokens: Tokens, database_url: str) -> None:
    stored, text = new_token()
    tokens.add(stored)
    with psycopg.connect(database_url) as owner:
        owner.execute("CREATE TEMP TABLE former AS SELECT * FROM auth.tokens")
        tokens.revoke(stored.token_id)
        owner.execute("DELETE FROM auth.tokens WHERE token_id = %s", (stored.token_id,))
        owner.execute("INSERT INTO auth.tokens SELECT * FROM former WHERE token_id = %s", (stored.token_id,))
    assert tokens.authenticate(text) is None


def test_the_row_of_another_token_authenticates_nobody(tokens: Tokens, database_url: str) -> None:
    stored, text = new_token(accounts=frozenset({"acme"}))
    administrator, _ = new_token()
    tokens.add(stored)
    tokens.add(administrator)
    with psycopg.connect(database_url) as owner:
        owner.execute(
            "UPDATE auth.tokens t SET accounts = o.accounts, mac = o.mac FROM auth.tokens o"
            " WHERE t.token_id = %s AND o.token_id = %s",
            (stored.token_id, administrator.token_id),
        )
    assert tokens.authenticate(text) is None


def test_the_service_changes_no_rights_and_creates_no_row_without_its_event(pool: Pool) -> None:
    for statement in (
        "UPDATE auth.tokens SET scopes = '{admin}'",
        "UPDATE auth.tokens SET mac = NULL",
        "INSERT INTO auth.tokens (token_id) VALUES ('a')",
        "DELETE FROM auth.tokens",
    ):
        with pytest.raises(pg.InsufficientPrivilege), pool.connection() as connection:
            connection.execute(statement)


def test_a_token_event_is_appended_only_for_its_row(tokens: Tokens, pool: Pool) -> None:
    """The function accepts neither other events nor a row of another token."""
    ours, other = new_token()[0], new_token()[0]
    forged = ServiceTokenRevoked(token_id=other.token_id, name="forged")
    foreign = AccountErased(erasure_id=new_id(), reason=None)
    row = tokens.writer._row(ours, 1)
    for payload in (forged, foreign):
        event = NewEvent(event_id=new_id(), payload=payload, metadata=metadata())
        argument = append_request(service_token_stream(ours.token_id), 0, [event], None, None)
        with pytest.raises(pg.InsufficientPrivilege), pool.connection() as connection:
            connection.execute("SELECT auth.append(%s, %s)", (argument, row))


def test_the_service_cannot_revive_a_revoked_token(tokens: Tokens, pool: Pool) -> None:
    """A process of 0.9.0 revokes by writing the column, without an event that would contradict."""
    stored, text = new_token()
    tokens.add(stored)
    with pool.connection() as connection:
        for time in ("infinity", "3000-01-01"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), connection.transaction():
                connection.execute(_REVOKE, (time, stored.token_id))
        assert connection.execute(_REVOKE, ("now", stored.token_id)).rowcount == 1
        assert connection.execute(_REVOKE, (None, stored.token_id)).rowcount == 0
    assert tokens.authenticate(text) is None


_REVOKE = "UPDATE auth.tokens SET revoked_at = %s WHERE token_id = %s"
