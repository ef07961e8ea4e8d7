"""Service tokens on a real database: stored as hashes, revoked within two seconds, cached within limits."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from secrets import token_bytes

import psycopg
import pytest
from psycopg import errors as pg

from chassis.authentication import token_table
from chassis.authentication.token_table import PostgresTokens, UnknownToken
from chassis.authentication.tokens import StoredToken, TokenScope, compose
from chassis.database import DatabaseUnavailable, Pool, open_pool, server_time
from chassis.secret import Secret

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


def tokens_of(pool: Pool, clock: Clock) -> PostgresTokens:
    return PostgresTokens(pool, keyed_hash=digest, monotonic=clock.monotonic)


@pytest.fixture
def tokens(pool: Pool, clock: Clock) -> PostgresTokens:
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
def test_a_stored_token_is_found_with_all_its_fields(
    tokens: PostgresTokens, accounts: frozenset[str] | None
) -> None:
    stored, text = new_token(accounts=accounts)
    tokens.add(stored)
    assert tokens.authenticate(text) == stored.principal()
    assert stored in tokens.page(limit=100, after=None)


def test_tokens_are_read_page_by_page_newest_first(tokens: PostgresTokens) -> None:
    for _ in range(5):
        tokens.add(new_token()[0])
    everything = tokens.page(limit=1000, after=None)
    after, read = None, []
    while part := tokens.page(limit=2, after=after):
        assert len(part) <= 2
        read += part
        after = part[-1].token_id
    assert read == everything
    assert len(read) >= 5
    with pytest.raises(UnknownToken):
        tokens.page(limit=2, after="unknown")


def test_a_malformed_or_unknown_token_is_not_found(tokens: PostgresTokens) -> None:
    _, unknown = new_token()
    for text in (unknown, "", "rgcs_", unknown[:-1], "\0" * 64):
        assert tokens.authenticate(text) is None


def test_the_text_of_a_token_is_not_stored(tokens: PostgresTokens, database_url: str) -> None:
    stored, text = new_token()
    tokens.add(stored)
    with psycopg.connect(database_url) as superuser:
        rows = superuser.execute("SELECT t::text FROM auth.tokens t").fetchall()
    assert text[15:58] not in repr(rows)


def test_adding_again_changes_nothing(tokens: PostgresTokens, clock: Clock, pool: Pool) -> None:
    stored, text = new_token()
    tokens.add(stored)
    tokens.revoke(stored.token_id)
    tokens.add(stored)
    assert tokens_of(pool, clock).authenticate(text) is None


def test_a_token_revoked_by_this_process_is_refused_at_once(tokens: PostgresTokens) -> None:
    stored, text = new_token()
    tokens.add(stored)
    assert tokens.authenticate(text) is not None
    assert tokens.revoke(stored.token_id)
    assert tokens.authenticate(text) is None
    assert not tokens.revoke(stored.token_id)
    assert not tokens.revoke("unknown99")


def test_a_token_revoked_by_another_process_is_refused_after_two_seconds(
    tokens: PostgresTokens, pool: Pool, clock: Clock
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
    tokens: PostgresTokens, pool: Pool, clock: Clock, monkeypatch: pytest.MonkeyPatch
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


def test_a_cached_token_needs_no_database(database_url: str, clock: Clock, tokens: PostgresTokens) -> None:
    stored, text = new_token()
    tokens.add(stored)
    with open_pool(database_url, role="regcred_query", size=1) as pool:
        other = tokens_of(pool, clock)
        assert other.authenticate(text) is not None
    assert other.authenticate(text) is not None  # the pool is closed
    clock.passed = 2.0
    with pytest.raises(DatabaseUnavailable):
        other.authenticate(text)


def test_the_cache_has_a_limit(tokens: PostgresTokens, pool: Pool) -> None:
    many = [new_token() for _ in range(1100)]
    with pool.connection() as connection, connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO auth.tokens (token_id, name, hash, scopes, created_at, created_by)"
            " VALUES (%s, 'many', %s, '{admin}', %s, 'svc')",
            [(stored.token_id, stored.hash, START) for stored, _ in many],
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
            lambda: away.page(limit=1, after=None),
            lambda: away.revoke("a"),
            lambda: away.add(new_token()[0]),
        ]
        for attempt in attempts:
            with pytest.raises(DatabaseUnavailable):
                attempt()
        assert away.authenticate("no token at all") is None  # needs no look-up


def test_the_query_role_reads_tokens_and_creates_none(database_url: str, clock: Clock) -> None:
    with open_pool(database_url, role="regcred_query", size=1) as pool:
        reader = tokens_of(pool, clock)
        assert isinstance(reader.page(limit=1, after=None), list)
        with pytest.raises(pg.InsufficientPrivilege):
            reader.add(new_token()[0])
        with pytest.raises(pg.InsufficientPrivilege):
            reader.revoke("a")


@pytest.mark.parametrize("role", ["regcred_projector", "regcred_relay"])
def test_other_roles_read_no_tokens(database_url: str, role: str) -> None:
    with (
        psycopg.connect(database_url, options=f"-c role={role}") as connection,
        pytest.raises(pg.InsufficientPrivilege),
    ):
        connection.execute("SELECT token_id FROM auth.tokens")
