"""A principal manages tokens only within its own rights."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from chassis.authentication.tokens import TokenScope, parse
from chassis.runtime.clock import now
from chassis.settings.environment import Settings
from chassis.web.api_part import join
from credentials.bootstrap import command_api
from operations.migrate.preparation import prepare_admin_token, prepare_keys
from secretstore.keyfile import KeyFile
from tests.support.tokens import store_token

Json = dict[str, Any]
MAX_DAYS = 90
EXPIRY = now().replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=30)
LATER = (EXPIRY + timedelta(seconds=1)).isoformat()


class Tokens:
    """The API, and tokens of its database."""

    def __init__(self, app: Flask, url: str, keys: KeyFile) -> None:
        self._app, self.url, self._keys = app, url, keys

    def admin(
        self,
        accounts: set[str] | None = None,
        projects: set[str] | None = None,
        expires_at: datetime | None = None,
    ) -> FlaskClient:
        """A client with a new administrator's token."""
        token = store_token(
            self.url,
            self._keys,
            [TokenScope.ADMIN],
            accounts=None if accounts is None else frozenset(accounts),
            projects=None if projects is None else frozenset(projects),
            expires_at=expires_at,
        )
        return self.client(token)

    def client(self, token: str) -> FlaskClient:
        client = self._app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        return client


@pytest.fixture(scope="module")
def open_api(
    database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[dict[str, str]], Tokens]]:
    home = tmp_path_factory.mktemp("home")
    variables = {"REGCRED_HOME": str(home), "REGCRED_DATABASE_URL": database_url}
    parts = []

    def make(more: dict[str, str]) -> Tokens:
        settings = Settings.from_environment({**variables, **more})
        keys = prepare_keys(settings.key_file)
        part = command_api(settings)
        parts.append(part)
        return Tokens(join([part]), database_url, keys)

    yield make
    for part in parts:
        part.close()


@pytest.fixture(scope="module")
def tokens(open_api: Callable[[dict[str, str]], Tokens]) -> Tokens:
    return open_api({})


def make(client: FlaskClient, headers: Json | None = None, **wanted: Any) -> TestResponse:
    body = {"name": "made", "scopes": ["secrets:issue"], "accounts": ["acme"], **wanted}
    return client.post("/v1/service-tokens", json=body, headers=headers)


def code(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["code"]


WIDER: list[Json] = [
    {"accounts": None},
    {"accounts": ["umbrella"]},
    {"accounts": ["acme", "umbrella"]},
    {"projects": None},
    {"projects": ["shop", "blog"]},
    {"accounts": []},
    {"projects": []},
    {"expires_at": None},
    {"expires_at": LATER},
    {"accounts": None, "scopes": ["metrics:read"]},
]


@pytest.mark.parametrize("wider", WIDER, ids=str)
def test_a_token_cannot_be_created_with_more_than_the_own_rights(tokens: Tokens, wider: Json) -> None:
    admin = tokens.admin({"acme"}, {"shop"}, EXPIRY)
    within: Json = {"projects": ["shop"], "expires_at": EXPIRY.isoformat()}
    refused = make(admin, **{**within, **wider})
    assert code(refused) == (403, "exceeds_own_rights")
    assert refused.get_json()["detail"].startswith(f"{next(iter(wider))}: "), "it names the field"
    made = make(admin, **within)
    assert made.status_code == 201, made.text
    assert make(admin, **within, scopes=["admin"]).status_code == 201


def test_a_token_without_accounts_creates_none_for_an_account(tokens: Tokens) -> None:
    assert code(make(tokens.admin(set()))) == (403, "exceeds_own_rights")


def test_only_tokens_within_the_own_limits_are_listed_and_revoked(tokens: Tokens) -> None:
    admin, acme = tokens.admin(), tokens.admin({"acme"})
    inside = make(admin).get_json()["id"]
    outside = [
        make(admin, **wider).get_json()["id"]
        for wider in ({"accounts": None}, {"accounts": ["umbrella"]}, {"accounts": ["acme", "umbrella"]})
    ]
    listed = {token["id"]: token for token in acme.get("/v1/service-tokens?limit=200").get_json()["items"]}
    assert inside in listed
    assert all(token["accounts"] == ["acme"] for token in listed.values())
    for token_id in outside:
        assert code(acme.delete(f"/v1/service-tokens/{token_id}")) == (404, "not_found")
        assert admin.delete(f"/v1/service-tokens/{token_id}").status_code == 204
    assert acme.delete(f"/v1/service-tokens/{inside}").status_code == 204


def test_the_pages_of_a_limited_list_have_every_token_once(tokens: Tokens) -> None:
    admin, acme = tokens.admin(), tokens.admin({"paged"})
    made = []
    for _ in range(3):
        made.append(make(admin, accounts=["paged"]).get_json()["id"])
        make(admin, accounts=["umbrella"])
    found, cursor = [], ""
    while True:
        page = acme.get(f"/v1/service-tokens?limit=1{cursor}").get_json()
        found += [token["id"] for token in page["items"] if token["name"] == "made"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == made[::-1]


def test_a_cursor_does_not_tell_whether_a_token_of_others_exists(tokens: Tokens) -> None:
    other = make(tokens.admin(), accounts=["umbrella"]).get_json()["id"]
    acme = tokens.admin({"acme"})
    for cursor in (other, "000000000"):
        assert code(acme.get(f"/v1/service-tokens?cursor={cursor}")) == (400, "invalid_cursor")


INVALID: list[tuple[Json, str]] = [
    ({"accounts": ["*"]}, "/accounts/0"),
    ({"accounts": ["../x"]}, "/accounts/0"),
    ({"accounts": ["acme", ""]}, "/accounts/1"),
    ({"accounts": ["acme\n"]}, "/accounts/0"),
    ({"projects": ["a/b"]}, "/projects/0"),
    ({"name": "a\nb"}, "/name"),
    ({"name": "a\x1b[31m"}, "/name"),
    ({"name": "a\u202eb"}, "/name"),
    ({"name": "   "}, "/name"),
]


@pytest.mark.parametrize(("invalid", "pointer"), INVALID, ids=repr)
def test_ids_and_names_are_checked(tokens: Tokens, invalid: Json, pointer: str) -> None:
    answer = make(tokens.admin(), **invalid)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.get_json()["errors"]] == [pointer]


@pytest.mark.parametrize("field", ["scopes", "accounts", "projects"])
def test_a_long_list_is_refused_before_its_items_are_checked(tokens: Tokens, field: str) -> None:
    many: Any = ["../x"] * 10_000
    answer = make(tokens.admin(), **{field: many})
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.get_json()["errors"]] == [f"/{field}"]


def test_the_longest_life_of_a_token_is_a_setting(open_api: Callable[[dict[str, str]], Tokens]) -> None:
    admin = open_api({"REGCRED_TOKEN_MAX_DAYS": str(MAX_DAYS)}).admin()
    for expires_at in (None, (now() + timedelta(days=MAX_DAYS, minutes=1)).isoformat()):
        answer = make(admin, expires_at=expires_at)
        assert answer.status_code == 422
        assert answer.get_json()["errors"][0]["code"] == "too_late"
    assert make(admin, expires_at=(now() + timedelta(days=MAX_DAYS)).isoformat()).status_code == 201


def test_a_revoked_token_is_not_returned_under_its_key(tokens: Tokens) -> None:
    admin, key = tokens.admin(), {"Idempotency-Key": "once"}
    made = make(admin, key).get_json()
    assert admin.delete(f"/v1/service-tokens/{made['id']}").status_code == 204
    assert code(make(admin, key)) == (409, "token_revoked")


def test_the_last_administrator_cannot_be_revoked(tokens: Tokens) -> None:
    with psycopg.connect(tokens.url) as owner:
        owner.execute("UPDATE auth.tokens SET revoked_at = clock_timestamp() WHERE revoked_at IS NULL")
    last = store_token(tokens.url, tokens._keys, [TokenScope.ADMIN])
    tokens.admin({"acme"})
    tokens.admin(expires_at=now() - timedelta(days=1))
    found = parse(last)
    assert found
    admin = tokens.client(last)
    path = f"/v1/service-tokens/{found.token_id}"
    assert code(admin.delete(path)) == (409, "last_admin_token")
    assert make(admin).status_code == 201  # it is still valid
    tokens.admin()
    assert admin.delete(path).status_code == 204


def test_both_changes_are_recorded_with_the_principal(tokens: Tokens) -> None:
    admin = tokens.admin()
    for accounts, recorded in ((["acme"], "acme"), (["acme", "umbrella"], "*"), (None, "*"), ([], "*")):
        made = make(admin, accounts=accounts).get_json()
        assert admin.delete(f"/v1/service-tokens/{made['id']}").status_code == 204
        with psycopg.connect(tokens.url) as owner:
            events = owner.execute(
                "SELECT e.type, s.account_id, s.category, e.meta#>>'{actor,type}', e.data->'accounts'"
                " FROM es.events e JOIN es.streams s USING (stream_id)"
                " WHERE e.data->>'token_id' = %s ORDER BY e.version",
                (made["id"],),
            ).fetchall()
            [texts] = owner.execute(
                "SELECT string_agg(e.data::text, '') FROM es.events e WHERE e.data->>'token_id' = %s",
                (made["id"],),
            ).fetchall()
        assert events == [
            ("service_token.created", recorded, "service_token", "service", accounts),
            ("service_token.revoked", recorded, "service_token", "service", None),
        ]
        assert "made" not in texts[0]  # the name is personal data


def test_a_lost_admin_token_is_revoked_when_it_is_created_again(tokens: Tokens, tmp_path: Any) -> None:
    file = tmp_path / "admin.token"
    prepare_admin_token(file, tokens.url, tokens._keys)
    lost = tokens.client(file.read_text().strip())
    prepare_admin_token(file, tokens.url, tokens._keys)
    assert tokens.client(file.read_text().strip()).get("/v1/service-tokens").status_code == 200
    file.unlink()
    prepare_admin_token(file, tokens.url, tokens._keys)
    assert lost.get("/v1/service-tokens").status_code in (200, 401)  # cached for two seconds at most
    with psycopg.connect(tokens.url) as owner:
        rows = owner.execute(
            "SELECT revoked_at IS NULL FROM auth.tokens WHERE name = 'admin of this machine'"
            " ORDER BY created_at DESC LIMIT 2"
        ).fetchall()
        [(actor,)] = owner.execute(
            "SELECT e.meta#>>'{actor,type}' FROM es.events e WHERE e.type = 'service_token.revoked'"
            " ORDER BY e.seq DESC LIMIT 1"
        ).fetchall()
    assert (rows, actor) == ([(True,), (False,)], "system")
