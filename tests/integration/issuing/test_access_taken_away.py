"""Changes by which workloads lose a credential, over HTTP: refused, forced with a reason, as a dry run."""

from datetime import timedelta
from uuid import UUID

import psycopg
import pytest
from flask.testing import FlaskClient

from chassis.runtime.clock import now, rfc3339
from contracts.credential_events import CredentialAccessWithdrawn
from contracts.streams import credential_stream
from eventlog.storage import load_newest
from secretstore.keyfile import KeyFile
from secretstore.personal_keys import open_personal_keys
from tests.integration.issuing.calls import Api, Json, add, pull

HOST = "reg.example.com"
ANY = {"If-Match": "*"}
LOGIN = {"kind": "username_password", "username": "octo", "password": "next-secret"}


def _in(days: int) -> str:
    return rfc3339(now() + timedelta(days=days))


# Each change by which every user of a credential for all repositories loses it, by its route and body.
TAKING: dict[str, tuple[str, str, Json]] = {
    "prefixes": ("PATCH", "", {"repository_prefixes": ["acme/"]}),
    "scope": ("PATCH", "", {"scope": {"pull": False, "push": True}}),
    "near expiry": ("PATCH", "", {"expires_at": _in(1)}),
    "renamed and narrowed": ("PATCH", "", {"name": "renamed", "repository_prefixes": ["acme/"]}),
    "other registry": ("PUT", "/secret", {"credential": LOGIN, "registry_url": "other.example.com"}),
    "other project": ("PUT", "/restrictions", {"restricted": True, "projects": ["blog"]}),
    "no project": ("PUT", "/restrictions", {"restricted": True, "projects": []}),
}
# Changes by which nobody loses it.
HARMLESS: dict[str, tuple[str, str, Json]] = {
    "name": ("PATCH", "", {"name": "renamed"}),
    "more scope": ("PATCH", "", {"scope": {"pull": True, "push": True}}),
    "far expiry": ("PATCH", "", {"expires_at": _in(365)}),
    "same registry": ("PUT", "/secret", {"credential": LOGIN, "registry_url": HOST}),
    "expiry of the new secret": ("PUT", "/secret", {"credential": LOGIN, "expires_at": _in(1)}),
    "its project": ("PUT", "/restrictions", {"restricted": True, "projects": ["shop"]}),
}


@pytest.fixture
def path(client: FlaskClient, account: str) -> str:
    """The path of a credential whose secret was issued to a workload of the project `shop`."""
    found = add(client, account, "team", HOST)
    assert pull(client, account, f"{HOST}/acme/app:1").status_code == 200
    return f"/v1/accounts/{account}/credentials/{found['id']}"


def _send(client: FlaskClient, path: str, change: tuple[str, str, Json], query: str = "") -> tuple[int, Json]:
    method, below, body = change
    answer = client.open(f"{path}{below}", method=method, json=body, headers=ANY, query_string=query)
    return answer.status_code, answer.get_json()


def _secrets(database_url: str) -> object:
    with psycopg.connect(database_url) as owner:
        return owner.execute("SELECT count(*) FROM encrypted.secrets").fetchone()


@pytest.mark.parametrize("change", TAKING.values(), ids=TAKING)
def test_a_change_that_takes_access_away_needs_force_and_a_reason(
    client: FlaskClient, api: Api, path: str, database_url: str, change: tuple[str, str, Json]
) -> None:
    secrets = _secrets(database_url)
    status, planned = _send(client, path, change, "dry_run=true")
    assert status == 200, planned
    assert [user["project_id"] for user in planned["users"]] == ["shop"]
    assert (planned["dry_run"], planned["needs_force"], planned["more_users"]) == (True, True, False)

    status, refused = _send(client, path, change)
    assert (status, refused["code"]) == (409, "credential_in_use"), refused
    assert [user["project_id"] for user in refused["users"]] == ["shop"]
    for query in ("force=true", "force=true&reason=", "force=true&reason=%20"):
        status, missing = _send(client, path, change, query)
        assert (status, missing["errors"][0]["pointer"]) == (422, "/reason")
    assert _secrets(database_url) == secrets, "a refused rotation writes no secret"

    status, changed = _send(client, path, change, "force=true&reason=moved")
    assert status == 200, changed
    with psycopg.connect(database_url) as owner:
        stream = credential_stream(UUID(path.rpartition("/")[2]))
        keys = open_personal_keys(KeyFile.load(api.settings.key_file))
        *_, withdrawn, last = load_newest(owner, stream, keys)
    assert withdrawn.payload == CredentialAccessWithdrawn(
        credential_id=UUID(changed["id"]), reason="moved", workloads=1
    )
    assert changed["version"] == last.version == withdrawn.version + 1
    assert planned.get("version", last.version) == last.version


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_a_change_by_which_nobody_loses_it_needs_no_force(
    client: FlaskClient, path: str, change: tuple[str, str, Json]
) -> None:
    status, planned = _send(client, path, change, "dry_run=true")
    assert (status, planned["users"], planned["needs_force"]) == (200, [], False)
    assert _send(client, path, change)[0] == 200


@pytest.mark.parametrize("change", TAKING.values(), ids=TAKING)
def test_a_credential_without_users_is_changed(
    client: FlaskClient, account: str, change: tuple[str, str, Json]
) -> None:
    unused = f"/v1/accounts/{account}/credentials/{add(client, account, 'team', HOST)['id']}"
    assert _send(client, unused, change)[0] == 200


def test_a_workload_loses_access_only_once(client: FlaskClient, path: str) -> None:
    assert _send(client, path, TAKING["no project"], "force=true&reason=closed")[0] == 200
    assert _send(client, path, TAKING["prefixes"])[0] == 200


def test_an_older_user_than_those_that_are_listed_loses_it(
    client: FlaskClient, path: str, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(
            "INSERT INTO credentials.usages SELECT %s, 'blog', 'job', 'job ' || n, now(), 1"
            " FROM generate_series(1, 150) AS n",
            (path.rpartition("/")[2],),
        )
    status, refused = _send(client, path, TAKING["other project"])
    assert (status, [user["project_id"] for user in refused["users"]]) == (409, ["shop"])


@pytest.mark.parametrize("query", ["reason=%20", "reason=%09", "force=true&reason=%20%20"])
def test_a_blank_reason_is_refused(client: FlaskClient, path: str, query: str) -> None:
    refused = client.delete(f"{path}?{query}", headers=ANY)
    assert (refused.status_code, refused.get_json()["errors"][0]["pointer"]) == (422, "/reason")
