"""Limits of accounts and tokens over HTTP, with their state in a real database."""

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest
from werkzeug.test import TestResponse

from chassis.authentication.tokens import TokenScope
from chassis.database import open_pool
from chassis.ids import new_id
from chassis.runtime.limiter import Limit, Limiter, LimitReached
from chassis.settings.environment import Settings
from chassis.web.api_part import join
from chassis.web.limit_buckets import DatabaseBuckets
from credentials.bootstrap import command_api
from operations.migrate.preparation import prepare_admin_token, prepare_keys
from projector.read.bootstrap import query_api
from tests.integration.credentials.calls import Caller
from tests.support.tokens import store_token

_numbers = count(1)


@pytest.fixture
def account() -> str:
    """An account of this test's own."""
    return f"limited-{next(_numbers)}"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("home")


@contextmanager
def process(home: Path, database_url: str, **limits: int) -> Iterator[Caller]:
    """The API as one of several processes has it, with these settings of limits."""
    settings = Settings.from_environment(
        {
            "REGCRED_HOME": str(home),
            "REGCRED_DATABASE_URL": database_url,
            **{f"REGCRED_{name.upper()}": str(value) for name, value in limits.items()},
        }
    )
    token = home / "admin.token"
    prepare_admin_token(token, database_url, prepare_keys(settings.key_file))
    parts = [command_api(settings), query_api(settings)]
    try:
        yield Caller(join(parts), token.read_text().strip(), database_url)
    finally:
        for part in parts:
            part.close()


def lookup(caller: Caller, account: str) -> TestResponse:
    return caller.call("GET", f"{account}/credentials/summary")


def until_refused(caller: Caller, account: str, most: int) -> int:
    for admitted in range(most):
        if lookup(caller, account).status_code == 429:
            return admitted
    raise AssertionError("nothing was refused")


def test_requests_of_an_account_are_limited_across_processes_and_others_are_not(
    home: Path, database_url: str, account: str
) -> None:
    limits = {"account_requests_per_10_seconds": 40}
    with process(home, database_url, **limits) as one, process(home, database_url, **limits) as two:
        admitted = until_refused(one, account, 100) + until_refused(two, account, 100)
        assert 40 <= admitted < 80, "each process alone would admit 40, and more as time passes"
        refused = lookup(one, account)
        assert refused.status_code == 429
        assert refused.get_json()["code"] == "limit_reached"
        assert int(refused.headers["Retry-After"]) >= 1
        assert refused.headers["RateLimit-Policy"] == '"account";q=40;w=10'
        assert refused.headers["RateLimit"].startswith('"account";r=0;t=')
        other = lookup(two, f"{account}-other")
        assert other.status_code == 200
        assert other.headers["RateLimit-Policy"] == '"account";q=40;w=10'
        assert other.headers["RateLimit"] == '"account";r=39;t=1'


def test_a_token_of_accounts_is_limited_and_a_token_of_all_only_without_an_account(
    home: Path, database_url: str, account: str
) -> None:
    limits = {"account_requests_per_10_seconds": 0, "token_requests_per_10_seconds": 5}
    with process(home, database_url, **limits) as admin:
        body = {"name": "one", "scopes": ["credentials:read"], "accounts": [account]}
        made = admin.app.test_client().post(
            "/v1/service-tokens", json=body, headers={"Authorization": f"Bearer {admin.token}"}
        )
        assert made.status_code == 201
        assert made.headers["RateLimit-Policy"].startswith('"token";q=5;w=10')
        limited = Caller(admin.app, made.get_json()["token"], database_url)
        assert until_refused(limited, account, 20) >= 5
        for _ in range(20):
            assert lookup(admin, account).status_code == 200


def test_without_the_database_of_the_limits_nothing_is_refused(
    home: Path, database_url: str, account: str
) -> None:
    with process(home, database_url, account_requests_per_10_seconds=3) as caller:
        assert lookup(caller, account).status_code == 200
        with psycopg.connect(database_url, autocommit=True) as superuser:
            superuser.execute("ALTER FUNCTION credentials.take RENAME TO away")
            try:
                other = f"{account}-other"
                assert [lookup(caller, other).status_code for _ in range(10)] == [200] * 10
            finally:
                superuser.execute("ALTER FUNCTION credentials.away RENAME TO take")


def test_events_of_a_day_are_limited_for_commands_and_for_recorded_reads(
    home: Path, database_url: str, account: str
) -> None:
    with process(home, database_url, events_per_day=3, verifications_per_10_minutes=0) as caller:
        path = caller.added(account)
        assert caller.verify(path).status_code == 202
        assert caller.verify(path).status_code == 202
        refused = caller.verify(path)
        assert (refused.status_code, refused.get_json()["code"]) == (429, "limit_reached")
        assert refused.headers["RateLimit-Policy"].endswith('"events";q=3;w=86400')
        assert caller.pull(account).status_code == 429
        assert caller.call("GET", f"{account}/audit-events").status_code == 429
        assert lookup(caller, account).status_code == 200
        assert caller.events(account).total() == 3
        assert caller.add(f"{account}-other").status_code == 201


def test_verifications_of_one_credential_are_limited_and_those_of_another_are_not(
    home: Path, database_url: str, account: str
) -> None:
    with process(home, database_url, verifications_per_10_minutes=2) as caller:
        path, other = caller.added(account), caller.added(account, "other")
        assert [caller.verify(path).status_code for _ in range(3)] == [202, 202, 429]
        assert caller.verify(other).status_code == 202
        absent = f"{account}/credentials/{new_id()}"
        assert [caller.verify(absent).status_code for _ in range(3)] == [404] * 3
        assert caller.rows(
            "SELECT count(*) FROM credentials.limit_buckets WHERE name LIKE %s", f"%{absent[-36:]}"
        ) == [(0,)]


def test_credentials_of_an_account_are_limited_also_in_imports(
    home: Path, database_url: str, account: str
) -> None:
    with process(home, database_url, credentials_per_account=2) as caller:
        first = caller.added(account, "first")
        auths = {f"r{n}.example.com": {"username": "octo", "password": "x"} for n in range(2)}
        body = {"docker_config": {"auths": auths}}
        imported = caller.call("POST", f"{account}/imports", body)
        assert [item["status"] for item in imported.get_json()["items"]] == ["created", "failed"]
        refused = caller.add(account, "third")
        assert (refused.status_code, refused.get_json()["code"]) == (429, "credentials_limited")
        assert "Retry-After" in refused.headers
        assert caller.remove(first, '"1"').status_code == 204
        assert caller.add(account, "third").status_code == 201


def test_tokens_of_a_creator_are_limited(home: Path, database_url: str) -> None:
    with process(home, database_url, tokens_per_creator=1) as admin:
        creator = store_token(database_url, prepare_keys(home / "keys.json"), [TokenScope.ADMIN])
        client = admin.app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {creator}"
        body = {"name": "maker", "scopes": ["admin"], "accounts": None}
        made = client.post("/v1/service-tokens", json=body, headers={"Idempotency-Key": "k"})
        assert made.status_code == 201
        refused = client.post("/v1/service-tokens", json=body)
        assert (refused.status_code, refused.get_json()["code"]) == (429, "tokens_limited")
        repeated = client.post("/v1/service-tokens", json=body, headers={"Idempotency-Key": "k"})
        assert repeated.status_code == 201
        assert client.delete(f"/v1/service-tokens/{made.get_json()['id']}").status_code == 204
        assert client.post("/v1/service-tokens", json=body).status_code == 201


@pytest.mark.parametrize("subject", ["x" * 100_000, "nul \0", "half \ud800"])
def test_a_token_with_a_name_that_cannot_be_stored_is_limited(database_url: str, subject: str) -> None:
    buckets = DatabaseBuckets(
        open_pool(database_url, role="regcred_query", size=1, writes=False, connects=False)
    )
    limit = Limit(name="token", quota=2, seconds=1000)
    try:
        limiter = Limiter(buckets)
        assert [limiter.spend(limit, subject) is not None for _ in range(2)] == [True, True]
        with pytest.raises(LimitReached):
            limiter.spend(limit, subject)
        assert limiter.spend(limit, f"{subject} of another") is not None
    finally:
        buckets.close()


@pytest.mark.parametrize(
    ("role", "may"),
    [
        ("regcred_credentials", True),
        ("regcred_verifier", True),
        ("regcred_query", True),
        ("regcred_projector", False),
        ("regcred_relay", False),
    ],
)
def test_only_services_with_an_api_take_from_a_bucket_and_none_reads_the_table(
    database_url: str, role: str, may: bool
) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        [(able,)] = connection.execute(
            "SELECT has_function_privilege(%s, oid, 'EXECUTE') FROM pg_proc WHERE oid = 'credentials.take'::regproc",
            (role,),
        ).fetchall()
        assert able is may
        [(reads,)] = connection.execute(
            "SELECT has_table_privilege(%s, 'credentials.limit_buckets', 'SELECT, INSERT, UPDATE, DELETE')",
            (role,),
        ).fetchall()
        assert not reads


def test_a_position_of_another_account_is_like_one_that_does_not_exist(
    home: Path, database_url: str, account: str
) -> None:
    with process(home, database_url) as caller:
        own = caller.add(account)
        position = own.headers["Regcred-Position"]
        stream = position.partition(":")[0]
        with psycopg.connect(database_url, autocommit=True) as superuser:  # as relay and projector do
            superuser.execute(
                "INSERT INTO es.leases VALUES ('relay', 1, pg_backend_pid(), clock_timestamp() + interval '30s')"
                " ON CONFLICT (name) DO UPDATE SET epoch = 1, expires_at = excluded.expires_at"
            )
            superuser.execute("SELECT es.sequence(1, 1000)")
            superuser.execute(
                "UPDATE rm.generations SET position = (SELECT max(position) FROM es.log) WHERE status = 'live'"
            )

        def query(of: str, token: str) -> tuple[int, Any]:
            client = caller.app.test_client()
            headers = {"Authorization": f"Bearer {caller.token}", "Regcred-Wait-For": token}
            response = client.get(f"/v1/accounts/{of}/credentials", headers=headers)
            body = response.get_json()
            body.pop("request_id", None)
            return response.status_code, body

        assert query(account, position)[0] == 200
        unknown = query("stranger", f"{new_id()}:1")
        assert (unknown[0], unknown[1]["code"]) == (400, "invalid_position")
        assert query("stranger", position) == unknown
        assert query("stranger", f"{stream}:99") == unknown


def test_tokens_of_tokens_of_an_account_count_together(home: Path, database_url: str, account: str) -> None:
    with process(home, database_url, tokens_per_creator=2) as admin:
        of_account = [account]
        first = store_token(
            database_url, prepare_keys(home / "keys.json"), [TokenScope.ADMIN], accounts=frozenset(of_account)
        )
        client = admin.app.test_client()
        body = {"name": "maker", "scopes": ["admin"], "accounts": of_account}

        def make(creator: str) -> Any:
            return client.post(
                "/v1/service-tokens", json=body, headers={"Authorization": f"Bearer {creator}"}
            )

        second = make(first)
        assert second.status_code == 201
        for creator in (first, second.get_json()["token"]):
            refused = make(creator)
            assert (refused.status_code, refused.get_json()["code"]) == (429, "tokens_limited")


def test_refused_requests_count_against_their_token(home: Path, database_url: str, account: str) -> None:
    with process(home, database_url, token_requests_per_10_seconds=3) as admin:
        token = store_token(
            database_url,
            prepare_keys(home / "keys.json"),
            [TokenScope.ADMIN],
            accounts=frozenset({"umbrella"}),
        )
        client = admin.app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        path = f"/v1/accounts/{account}/pull-secrets"
        codes = [client.post(path, json={}).status_code for _ in range(8)]
        assert codes[0] == 403
        assert codes[-1] == 429
