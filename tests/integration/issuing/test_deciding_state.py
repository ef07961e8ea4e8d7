"""Rows that decide who gets a secret, changed by hand: nothing is issued, and the operator sees and repairs it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient

from credentials.state.comparison import state_differences
from credentials.state.rebuild import rebuild_state
from secretstore.keyfile import KeyFile
from tests.integration.issuing.calls import Api, Json, add, pull, resolve

HOST = "reg.example.com"


@contextmanager
def superuser(url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(url) as connection:
        connection.execute("SET session_replication_role = replica")
        yield connection


class Operator:
    """Compares the state with the log, and rebuilds it. The database has the rows of other tests, too."""

    def __init__(self, api: Api) -> None:
        self._url = api.settings.required_database_url()
        self._keys = KeyFile.load(api.settings.key_file)

    def differences(self, key: str) -> list[tuple[str, str, tuple[str, ...]]]:
        with psycopg.connect(self._url) as connection:
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            found = [each for each in state_differences(connection, self._keys) if key in each.key]
        return [(each.table, each.problem, each.columns) for each in found]

    def rebuild(self) -> int:
        return rebuild_state(self._url, self._keys).changed

    def without_name(self) -> list[str]:
        return [str(each) for each in rebuild_state(self._url, self._keys).name_taken]


@pytest.fixture
def operator(api: Api) -> Operator:
    return Operator(api)


def change(url: str, assignment: str, key: str) -> None:
    query = f"UPDATE credentials.current SET {assignment} WHERE credential_id = %s"  # noqa: S608 of this module
    with superuser(url) as connection:
        assert connection.execute(query, (key,)).rowcount == 1


def restricted(client: FlaskClient, account: str) -> Json:
    restrictions = {"restricted": True, "projects": ["shop"]}
    return add(client, account, "team", HOST, repository_prefixes=["team"], restrictions=restrictions)


@pytest.mark.parametrize(
    ("assignment", "project", "image"),
    [
        ("registry_host = 'evil.example.com'", "shop", "evil.example.com/team/app"),
        ("restricted = false", "other", f"{HOST}/team/app"),
        ("projects = '{other}'", "other", f"{HOST}/team/app"),
        ("repository_prefixes = '{}'", "shop", f"{HOST}/anything/app"),
        ("expires_at = now() + interval '1 day'", "shop", f"{HOST}/team/app"),
        ("expires_at = 'infinity'", "shop", f"{HOST}/team/app"),
        ("expires_at = '10000-01-01'", "shop", f"{HOST}/team/app"),
        ("secret_version = 2", "shop", f"{HOST}/team/app"),
        ("pull = true, push = true", "shop", f"{HOST}/team/app"),
        ("frozen = true", "shop", f"{HOST}/team/app"),
        ("mirror_of = '{docker.io}'", "shop", "nginx"),
        ("additional_hosts = '{evil.example.com}'", "shop", "evil.example.com/team/app"),
        ("provider = 'github'", "shop", f"{HOST}/team/app"),
        ("mac = NULL", "shop", f"{HOST}/team/app"),
    ],
)
def test_a_changed_row_issues_nothing_until_it_is_rebuilt(  # noqa: PLR0917 fixtures and cases
    client: FlaskClient,
    account: str,
    database_url: str,
    operator: Operator,
    assignment: str,
    project: str,
    image: str,
) -> None:
    key = restricted(client, account)["id"]
    before = pull(client, account, image, project_id=project)
    assert operator.differences(key) == []
    change(database_url, assignment, key)

    refused = pull(client, account, image, project_id=project)
    assert (refused.status_code, refused.get_json()["code"]) == (503, "credential_state_damaged")
    assert "regcred doctor" in refused.get_json()["detail"]
    assert resolve(client, account, image).status_code == 503
    [(table, problem, columns)] = operator.differences(key)
    assert (table, problem) == ("credentials.current", "changed")
    assert set(columns) == {part.split(" =")[0] for part in assignment.split(", ")} - {"pull"}

    assert operator.rebuild() > 0
    assert operator.differences(key) == []
    assert pull(client, account, image, project_id=project).status_code == before.status_code
    assert pull(client, account, f"{HOST}/team/app").status_code == 200


def test_a_frozen_credential_is_not_thawed_by_hand(
    client: FlaskClient, account: str, database_url: str, operator: Operator
) -> None:
    key = restricted(client, account)["id"]
    path = f"/v1/accounts/{account}/credentials/{key}/freeze"
    assert client.post(path, json={"reason": "leaked"}).status_code == 200
    assert operator.differences(key) == []
    change(database_url, "frozen = false", key)
    assert pull(client, account, f"{HOST}/team/app").status_code == 503
    assert operator.differences(key) == [("credentials.current", "changed", ("frozen",))]
    operator.rebuild()
    assert pull(client, account, f"{HOST}/team/app").status_code == 403


def test_a_row_of_an_earlier_version_is_not_accepted(
    client: FlaskClient, account: str, database_url: str, operator: Operator
) -> None:
    """Its authentication code is valid, but its stream has another version."""
    key = restricted(client, account)["id"]
    with superuser(database_url) as connection:
        connection.execute(
            "CREATE TEMP TABLE earlier AS SELECT * FROM credentials.current WHERE credential_id = %s", (key,)
        )
        connection.commit()
        done = client.put(
            f"/v1/accounts/{account}/credentials/{key}/restrictions",
            json={"restricted": True, "projects": []},
            headers={"If-Match": '"1"'},
        )
        assert done.status_code == 200
        connection.execute("DELETE FROM credentials.current WHERE credential_id = %s", (key,))
        connection.execute("INSERT INTO credentials.current SELECT * FROM earlier")
        connection.commit()
    refused = pull(client, account, f"{HOST}/team/app")
    assert (refused.status_code, refused.get_json()["code"]) == (503, "credential_state_damaged")
    [(_, problem, columns)] = operator.differences(key)
    assert (problem, set(columns)) == ("changed", {"projects", "version", "mac"})
    operator.rebuild()
    assert pull(client, account, f"{HOST}/team/app").status_code == 403


@pytest.mark.parametrize(
    "column",
    [
        "verified_version = 7",
        "verification_code = 'expired'",
        "verified_version = 1, verification_code = 'of_a_newer_version'",
        "added_at = now()",
        "added_at = '-infinity'",
    ],
)
def test_columns_that_only_rank_are_compared(
    client: FlaskClient, account: str, database_url: str, operator: Operator, column: str
) -> None:
    key = restricted(client, account)["id"]
    change(database_url, column, key)
    [(table, problem, columns)] = operator.differences(key)
    assert (table, problem) == ("credentials.current", "changed")
    assert set(columns) == {part.split(" =")[0] for part in column.split(", ")}
    assert pull(client, account, f"{HOST}/team/app").status_code == 200
    operator.rebuild()
    assert operator.differences(key) == []


def test_deleted_and_added_rows_are_found_and_repaired(
    client: FlaskClient, account: str, database_url: str, operator: Operator
) -> None:
    deleted, removed = restricted(client, account)["id"], add(client, account, "gone", HOST)["id"]
    with superuser(database_url) as connection:
        connection.execute(
            "CREATE TEMP TABLE earlier AS SELECT * FROM credentials.current WHERE credential_id = %s",
            (removed,),
        )
        connection.commit()
        assert (
            client.delete(
                f"/v1/accounts/{account}/credentials/{removed}", headers={"If-Match": '"1"'}
            ).status_code
            == 204
        )
        connection.execute("INSERT INTO credentials.current SELECT * FROM earlier")
        connection.execute("DELETE FROM credentials.current WHERE credential_id = %s", (deleted,))
    assert pull(client, account, f"{HOST}/other").status_code == 503
    assert operator.differences(deleted) == [("credentials.current", "missing", ())]
    assert operator.differences(removed) == [("credentials.current", "unexpected", ())]
    operator.rebuild()
    assert operator.differences(deleted) == operator.differences(removed) == []
    assert pull(client, account, f"{HOST}/team/app").status_code == 200
    assert pull(client, account, f"{HOST}/other").status_code == 403


def test_exchanged_names_are_repaired(
    client: FlaskClient, account: str, database_url: str, operator: Operator
) -> None:
    first, second = restricted(client, account)["id"], add(client, account, "other", HOST)["id"]
    with superuser(database_url) as connection:
        for key, name in ((first, "x"), (second, "team"), (first, "other")):
            connection.execute(
                "UPDATE credentials.current SET name = %s WHERE credential_id = %s", (name, key)
            )
    assert operator.rebuild() == 2
    assert operator.differences(first) == operator.differences(second) == []


def test_a_name_that_was_taken_meanwhile_holds_up_no_other_repair(
    client: FlaskClient, account: str, database_url: str, operator: Operator
) -> None:
    lost, other = restricted(client, account)["id"], add(client, account, "other", HOST)["id"]
    with superuser(database_url) as connection:
        connection.execute("DELETE FROM credentials.current WHERE credential_id = ANY (%s)", ([lost, other],))
    second = add(client, account, "team", HOST)["id"]
    assert operator.without_name() == [lost]
    assert operator.differences(other) == []
    renamed = client.patch(
        f"/v1/accounts/{account}/credentials/{second}", json={"name": "second"}, headers={"If-Match": "*"}
    )
    assert renamed.status_code == 200
    assert operator.rebuild() == 1
    assert operator.differences(lost) == []


def test_positions_after_the_end_of_the_log_are_found_and_set_back(
    client: FlaskClient, account: str, database_url: str, operator: Operator
) -> None:
    """A consumer with such a position skips every later event, and is not behind."""
    restricted(client, account)
    with superuser(database_url) as connection:
        connection.execute("INSERT INTO es.checkpoints (consumer, position) VALUES ('verifier', 1000000)")
        connection.execute("UPDATE es.relay SET published = 1000000")
    assert operator.differences("verifier") == [("es.checkpoints", "changed", ("position",))]
    assert ("es.relay", "changed", ("published",)) in operator.differences("log")
    assert operator.rebuild() == 2
    assert operator.differences("verifier") == []
    assert operator.differences("log") == []


def test_usages_are_compared_and_rebuilt(
    client: FlaskClient, account: str, database_url: str, operator: Operator
) -> None:
    """Usages decide whether a credential is in use, and so whether it may be removed."""
    key = restricted(client, account)["id"]
    path = f"/v1/accounts/{account}/credentials/{key}"
    for name in ("a", "b", "c"):
        workload = {"kind": "deployment", "name": name}
        assert pull(client, account, f"{HOST}/team/app", workload=workload).status_code == 200
    assert operator.differences(key) == []
    with superuser(database_url) as connection:
        connection.execute(
            "DELETE FROM credentials.usages WHERE workload_name = 'a' AND credential_id = %s", (key,)
        )
        connection.execute(
            "UPDATE credentials.usages SET last_issued_at = last_issued_at - %s WHERE credential_id = %s",
            (timedelta(days=90), key),
        )
        connection.execute(
            "INSERT INTO credentials.usages VALUES (%s, 'shop', 'deployment', 'never', now(), 1)", (key,)
        )
    assert sorted(operator.differences(key)) == [
        ("credentials.usages", "changed", ("last_issued_at",)),
        ("credentials.usages", "changed", ("last_issued_at",)),
        ("credentials.usages", "missing", ()),
        ("credentials.usages", "unexpected", ()),
    ]
    assert operator.rebuild() == 4
    assert operator.differences(key) == []
    refused = client.delete(path, headers={"If-Match": '"1"'})
    assert (refused.status_code, len(refused.get_json()["users"])) == (409, 3)


def test_a_command_that_waits_for_the_rebuild_is_not_lost(
    client: FlaskClient, account: str, database_url: str, operator: Operator
) -> None:
    key = restricted(client, account)["id"]
    change(database_url, "restricted = false", key)

    def restrict(version: int) -> int:
        return client.put(
            f"/v1/accounts/{account}/credentials/{key}/restrictions",
            json={"restricted": True, "projects": [f"p{version}"]},
            headers={"If-Match": f'"{version}"'},
        ).status_code

    with ThreadPoolExecutor(1) as thread:
        commands = thread.submit(lambda: [restrict(version) for version in range(1, 30)])
        while not commands.done():
            operator.rebuild()
        assert commands.result() == [200] * 29
    assert operator.differences(key) == []
    assert pull(client, account, f"{HOST}/team/app", project_id="p29").status_code == 200
