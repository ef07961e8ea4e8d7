"""A dry run of each command: the answer of the command, and nothing is changed or recorded."""

from dataclasses import dataclass

import psycopg
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.integration.issuing.calls import CANARY, WORKLOAD, Api, Json, add
from tests.support.system import add_body

HOST = "reg.example.com"
BASIC = {"kind": "username_password", "username": "octo", "password": CANARY}
_C = "/v1/accounts/<account_id>/credentials"
_ONE = f"{_C}/<uuid:credential_id>"

FREEZE, THAW = ("POST", f"{_ONE}/freeze"), ("POST", f"{_ONE}/thaw")
PULL = ("POST", "/v1/accounts/<account_id>/pull-secrets")
RELEASE = ("POST", "/v1/accounts/<account_id>/workload-releases")
BEFORE = {THAW: FREEZE, RELEASE: PULL}  # without it, the command changes nothing

# Each command with its body. A route that is missing here fails a test.
COMMANDS: dict[tuple[str, str], Json | None] = {
    ("POST", _C): add_body("another", HOST, "octo", CANARY),
    ("PATCH", _ONE): {"name": "renamed"},
    ("PUT", f"{_ONE}/secret"): {"credential": BASIC},
    ("POST", f"{_ONE}/secret/rollback"): {},
    ("PUT", f"{_ONE}/restrictions"): {"restricted": True, "projects": ["blog"]},
    FREEZE: {"reason": "the token leaked"},
    THAW: {},
    ("DELETE", _ONE): None,
    ("POST", f"{_ONE}/verifications"): {},
    ("POST", "/v1/accounts/<account_id>/imports"): {
        "docker_config": {"auths": {"imported.example.com": {"username": "u", "password": CANARY}}}
    },
    PULL: {
        "images": [f"{HOST}/acme/shop:1"],
        "project_id": "shop",
        "workload": WORKLOAD,
    },
    RELEASE: {"project_id": "shop", "workload": WORKLOAD},
    ("POST", "/v1/service-tokens"): {"name": "deployer", "scopes": ["credentials:read"]},
    ("DELETE", "/v1/service-tokens/<token_id>"): None,
}
# Queries by POST, which change nothing.
QUERIES = {("POST", "/v1/accounts/<account_id>/resolutions")}


@dataclass(frozen=True)
class Site:
    """An account with a credential and another token, and the API."""

    client: FlaskClient
    account: str
    database_url: str
    ids: dict[str, str]

    def call(
        self, command: tuple[str, str], query: str, body: Json | None = None, *, key: str = "the-same"
    ) -> TestResponse:
        method, path = command
        for name, value in {"account_id": self.account, **self.ids}.items():
            path = path.replace(f"<uuid:{name}>", value).replace(f"<{name}>", value)
        headers = {"If-Match": "*", **({"Idempotency-Key": key} if method == "POST" else {})}
        return self.client.open(
            path, method=method, json=body or COMMANDS[command], headers=headers, query_string=query
        )

    def state(self) -> Json:
        """The number of rows of every table that a command writes, and the current state of credentials."""
        tables = (
            "es.events",
            "es.idempotency",
            "encrypted.secrets",
            "auth.tokens WHERE revoked_at IS NULL",
            "credentials.usages",
        )
        with psycopg.connect(self.database_url, autocommit=True) as owner:
            counts: Json = {
                table: owner.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 constants
                for table in tables
            }
            rows = owner.execute("SELECT * FROM credentials.current ORDER BY credential_id").fetchall()
        return {**counts, "credentials": rows}


@pytest.fixture
def site(client: FlaskClient, account: str, database_url: str) -> Site:
    token = client.post("/v1/service-tokens", json={"name": "t", "scopes": ["audit:read"]}).get_json()
    ids = {"credential_id": add(client, account, "team", HOST)["id"], "token_id": token["id"]}
    site = Site(client, account, database_url, ids)
    rotated = site.call(("PUT", f"{_ONE}/secret"), "")  # for a rollback there is a former secret
    assert rotated.status_code == 200, rotated.text
    return site


def test_every_command_has_a_dry_run(api: Api) -> None:
    served = {
        (method, rule.rule)
        for rule in api.app.url_map.iter_rules()
        for method in (rule.methods or set()) & {"POST", "PUT", "PATCH", "DELETE"}
    }
    assert served - QUERIES == set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_dry_run_says_what_would_happen_and_changes_nothing(site: Site, command: tuple[str, str]) -> None:
    if command in BEFORE:
        assert site.call(BEFORE[command], "", key="before").status_code == 200
    before = site.state()
    dry = site.call(command, "dry_run=true")
    assert dry.status_code == 200, dry.text
    assert dry.get_json()["dry_run"] is True
    assert CANARY not in dry.text
    assert "rgcs_" not in dry.text, "no token is created"
    assert site.call(command, "dry_run=true").status_code == 200
    assert site.state() == before

    done = site.call(command, "dry_run=false")
    assert done.status_code < 300, done.text
    assert site.state() != before
    if command[0] == "PATCH":
        changed = done.get_json()
        assert {**changed, "updated_at": 0} == {
            **{name: dry.get_json()[name] for name in changed},
            "updated_at": 0,
        }
        assert changed["name"] == "renamed"


@pytest.mark.parametrize(
    ("command", "body", "expected"),
    [
        (("POST", _C), add_body("team", HOST, "octo", CANARY), (409, "name_taken")),
        (("POST", _C), {**add_body("x", HOST, "octo", CANARY), "name": ""}, (422, "invalid_request")),
        (("PATCH", _ONE), {"name": "other"}, (409, "name_taken")),
        (("PUT", f"{_ONE}/secret"), {"credential": {}}, (422, "invalid_request")),
        (
            ("POST", "/v1/accounts/<account_id>/pull-secrets"),
            {"images": ["none.example.com/a:1"], "project_id": "shop", "workload": WORKLOAD},
            (404, "no_matching_credential"),
        ),
    ],
)
def test_a_dry_run_is_refused_like_the_command(
    site: Site, command: tuple[str, str], body: Json, expected: tuple[int, str]
) -> None:
    add(site.client, site.account, "other", "second.example.com")
    before = site.state()
    dry = site.call(command, "dry_run=true", body)
    assert (dry.status_code, dry.get_json()["code"]) == expected, dry.text
    assert site.state() == before


def test_a_dry_run_needs_the_current_version(client: FlaskClient, account: str) -> None:
    path = f"/v1/accounts/{account}/credentials/{add(client, account, 'team', HOST)['id']}"
    answers = [
        client.patch(f"{path}?dry_run=true", json={"name": "x y z"}, headers=headers)
        for headers in ({}, {"If-Match": '"7"'})
    ]
    assert [answer.status_code for answer in answers] == [428, 412]


def test_the_last_administrator_is_not_revoked_in_a_dry_run(api: Api, site: Site) -> None:
    own = api.admin.split("_")[1]
    before = site.state()
    refused = site.client.delete(f"/v1/service-tokens/{own}?dry_run=true")
    assert (refused.status_code, refused.get_json()["code"]) == (409, "last_admin_token"), refused.text
    assert site.state() == before


@pytest.mark.parametrize(
    ("query", "body", "status"), [("true", False, 422), ("true", True, 200), ("no", None, 200)]
)
def test_the_dry_run_of_an_import_is_in_the_query_or_in_the_body(
    client: FlaskClient, account: str, query: str, body: bool | None, status: int
) -> None:
    document: Json = {"docker_config": {"auths": {"reg.example.com": {"username": "u", "password": CANARY}}}}
    if body is not None:
        document["dry_run"] = body
    answer = client.post(f"/v1/accounts/{account}/imports?dry_run={query}", json=document)
    assert answer.status_code == status, answer.text
    if status == 200:
        assert answer.get_json()["dry_run"] is (query == "true")
