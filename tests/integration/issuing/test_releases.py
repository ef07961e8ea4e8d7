"""A workload or project that is gone prevents no change of a credential, until a secret is issued to it again."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from chassis.authentication.tokens import TokenScope
from credentials.application import releases
from credentials.state.comparison import state_differences
from credentials.state.rebuild import rebuild_state
from secretstore.keyfile import KeyFile
from tests.integration.issuing.calls import WORKLOAD, Api, Json, add, pull

HOST = "reg.example.com"
ANY = {"If-Match": "*"}
JOB = {"kind": "job", "name": "nightly"}


def release(client: FlaskClient, account: str, /, *, query: str = "", **body: Any) -> TestResponse:
    headers = body.pop("headers", None)
    return client.post(
        f"/v1/accounts/{account}/workload-releases",
        json={"project_id": "shop", **body},
        headers=headers,
        query_string=query,
    )


def released(answer: TestResponse) -> list[tuple[str, str]]:
    """The credential and the name of the workload of each released usage."""
    assert answer.status_code == 200, answer.text
    return [(one["credential_id"], one["workload"]["name"]) for one in answer.get_json()["released"]]


def removal(client: FlaskClient, path: str) -> TestResponse:
    return client.delete(path, headers=ANY)


def differences(api: Api, credential_id: str) -> list[Any]:
    with psycopg.connect(api.settings.required_database_url()) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        keys = KeyFile.load(api.settings.key_file)
        return [each for each in state_differences(connection, keys) if credential_id in each.key]


@pytest.fixture
def used(client: FlaskClient, account: str) -> str:
    """The id of a credential whose secret was issued to a workload."""
    found: str = add(client, account, "team", HOST)["id"]
    assert pull(client, account, f"{HOST}/acme/app:1").status_code == 200
    return found


@pytest.fixture
def path(account: str, used: str) -> str:
    return f"/v1/accounts/{account}/credentials/{used}"


def test_a_credential_is_removed_without_force_when_its_workload_is_gone(
    client: FlaskClient, account: str, used: str, path: str
) -> None:
    assert removal(client, path).get_json()["code"] == "credential_in_use"
    answer = release(client, account, workload=WORKLOAD, reason="scaled away")
    assert released(answer) == [(used, "storefront")]
    assert answer.headers["Regcred-Position"]
    assert client.delete(f"{path}?dry_run=true", headers=ANY).get_json()["users"] == []
    assert removal(client, path).status_code == 204


@pytest.mark.parametrize(
    ("method", "below", "body"),
    [
        ("PATCH", "", {"repository_prefixes": ["other/"]}),
        ("PATCH", "", {"scope": {"pull": False, "push": True}}),
        ("PUT", "/restrictions", {"restricted": True, "projects": ["blog"]}),
    ],
)
def test_a_change_needs_no_force_when_the_workload_is_gone(  # noqa: PLR0917 fixtures and cases
    client: FlaskClient, account: str, path: str, method: str, below: str, body: Json
) -> None:
    def change() -> TestResponse:
        return client.open(f"{path}{below}", method=method, json=body, headers=ANY)

    assert change().status_code == 409
    assert release(client, account, workload=WORKLOAD).status_code == 200
    assert change().status_code == 200


def test_a_later_pull_secret_counts_again(client: FlaskClient, account: str, path: str) -> None:
    assert len(released(release(client, account, workload=WORKLOAD))) == 1
    assert pull(client, account, f"{HOST}/acme/app:1").status_code == 200
    assert removal(client, path).status_code == 409
    assert len(released(release(client, account, workload=WORKLOAD))) == 1
    assert removal(client, path).status_code == 204


def test_only_the_named_workload_is_released(client: FlaskClient, account: str, used: str, path: str) -> None:
    image = f"{HOST}/acme/app:1"
    assert pull(client, account, image, workload=JOB).status_code == 200
    assert pull(client, account, image, project_id="blog").status_code == 200
    for other in ({"kind": "job", "name": "storefront"}, {"kind": "deployment", "name": "other"}):
        assert released(release(client, account, workload=other)) == []
    spelled = {**WORKLOAD, "kind": "Deployment"}
    assert released(release(client, account, workload=spelled)) == [(used, "storefront")]
    users = removal(client, path).get_json()["users"]
    assert {(user["project_id"], user["workload"]["name"]) for user in users} == {
        ("shop", "nightly"),
        ("blog", "storefront"),
    }
    assert released(release(client, account, whole_project=True)) == [(used, "nightly")]
    assert released(release(client, account, project_id="blog", whole_project=True)) == [(used, "storefront")]
    assert removal(client, path).status_code == 204


def test_a_workload_is_released_from_all_its_credentials(
    client: FlaskClient, account: str, used: str
) -> None:
    other = add(client, account, "other", "second.example.com")["id"]
    assert pull(client, account, "second.example.com/a:1").status_code == 200
    found = released(release(client, account, workload=WORKLOAD))
    assert {credential for credential, _ in found} == {used, other}


def test_a_workload_of_another_account_is_not_released(client: FlaskClient, account: str, path: str) -> None:
    assert released(release(client, f"{account}-x", workload=WORKLOAD)) == []
    assert removal(client, path).status_code == 409


def test_many_usages_are_released_in_parts(
    client: FlaskClient, account: str, used: str, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(releases, "MAX_RELEASED", 2)
    for number in range(2):
        workload = {"kind": "job", "name": f"job-{number}"}
        assert pull(client, account, f"{HOST}/acme/app:1", workload=workload).status_code == 200
    first = release(client, account, whole_project=True)
    assert (len(released(first)), first.get_json()["more_released"]) == (2, True)
    second = release(client, account, whole_project=True)
    assert (len(released(second)), second.get_json()["more_released"]) == (1, False)
    assert removal(client, path).status_code == 204


def test_a_dry_run_releases_nothing(client: FlaskClient, account: str, used: str, path: str) -> None:
    planned = release(client, account, workload=WORKLOAD, query="dry_run=true")
    assert released(planned) == [(used, "storefront")]
    assert planned.get_json()["dry_run"] is True
    assert removal(client, path).status_code == 409


def test_a_repeated_request_does_not_release_a_later_use(
    client: FlaskClient, account: str, path: str
) -> None:
    key = {"Idempotency-Key": "gone-1"}
    first = release(client, account, workload=WORKLOAD, headers=key)
    assert pull(client, account, f"{HOST}/acme/app:1").status_code == 200
    again = release(client, account, workload=WORKLOAD, headers=key)
    assert again.headers["Idempotency-Replayed"] == "true"
    assert (again.get_json(), again.headers["Regcred-Position"]) == (
        first.get_json(),
        first.headers["Regcred-Position"],
    )
    assert removal(client, path).status_code == 409
    other = release(client, account, whole_project=True, headers=key)
    assert (other.status_code, other.get_json()["code"]) == (422, "idempotency_key_reused")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"workload": None},
        {"workload": WORKLOAD, "whole_project": True},
        {"workload": {"kind": "", "name": "a"}},
        {"workload": {"kind": "job", "name": " a"}},
        {"workload": {"kind": "job"}},
        {"workload": WORKLOAD, "reason": " "},
        {"project_id": "no project", "whole_project": True},
        {"project_id": None, "whole_project": True},
        {"whole_project": True, "force": True},
    ],
)
def test_a_wrong_release_is_refused(client: FlaskClient, account: str, path: str, body: Json) -> None:
    assert release(client, account, **body).get_json()["code"] == "invalid_request"
    assert removal(client, path).status_code == 409


def test_a_token_of_projects_releases_only_theirs(
    api: Api, client: FlaskClient, account: str, used: str
) -> None:
    platform = api.client(api.token(TokenScope.SECRETS_ISSUE, projects=frozenset({"shop"})))
    foreign = release(platform, account, project_id="blog", whole_project=True)
    assert (foreign.status_code, foreign.get_json()["code"]) == (403, "project_forbidden")
    assert released(release(platform, account, workload=WORKLOAD)) == [(used, "storefront")]
    reader = api.client(api.token(TokenScope.CREDENTIALS_READ, TokenScope.CREDENTIALS_FREEZE))
    assert release(reader, account, workload=WORKLOAD).get_json()["code"] == "insufficient_scope"


@pytest.mark.parametrize(
    "steps", ["ijr", "irj", "iirr", "ijpi", "bijpbr", "pirijpjbi", "jrjrib", "ibpqi", "qijrpib"]
)
def test_the_state_is_rebuilt_from_issuances_and_releases_in_any_order(
    api: Api, client: FlaskClient, account: str, used: str, steps: str
) -> None:
    """`i`, `j` and `b` issue to two workloads and to another project; `r` releases a workload, `p` and `q` a project."""
    image = f"{HOST}/acme/app:1"
    for step in steps:
        answer = {
            "i": lambda: pull(client, account, image),
            "j": lambda: pull(client, account, image, workload=JOB),
            "b": lambda: pull(client, account, image, project_id="blog"),
            "r": lambda: release(client, account, workload=WORKLOAD),
            "p": lambda: release(client, account, whole_project=True),
            "q": lambda: release(client, account, project_id="blog", whole_project=True),
        }[step]()
        assert answer.status_code == 200, answer.text
    assert differences(api, used) == []
    url = api.settings.required_database_url()
    query = "SELECT * FROM credentials.usages WHERE credential_id = %s ORDER BY 2, 3, 4"
    with psycopg.connect(url, autocommit=True) as owner:
        before = owner.execute(query, (used,)).fetchall()
        owner.execute("DELETE FROM credentials.usages WHERE credential_id = %s", (used,))
        rebuild_state(url, KeyFile.load(api.settings.key_file))
        assert owner.execute(query, (used,)).fetchall() == before


def test_a_deleted_release_is_found_and_repaired(
    api: Api, client: FlaskClient, account: str, used: str
) -> None:
    """A usage that was put back by hand prevents removals again: the log knows that it was released."""
    assert len(released(release(client, account, workload=WORKLOAD))) == 1
    with psycopg.connect(api.settings.required_database_url(), autocommit=True) as owner:
        owner.execute(
            "INSERT INTO credentials.usages VALUES (%s, 'shop', 'deployment', 'storefront', now(), 1)",
            (used,),
        )
    [found] = differences(api, used)
    assert (found.table, found.problem) == ("credentials.usages", "unexpected")
    rebuild_state(api.settings.required_database_url(), KeyFile.load(api.settings.key_file))
    assert differences(api, used) == []


def test_releases_and_pull_secrets_at_the_same_time_leave_the_state_of_the_log(
    api: Api, account: str, used: str
) -> None:
    def pulling(_number: int) -> int:
        return pull(api.client(api.admin), account, f"{HOST}/acme/app:1").status_code

    def releasing(_number: int) -> int:
        return release(api.client(api.admin), account, workload=WORKLOAD).status_code

    with ThreadPoolExecutor(6) as pool:
        calls = [pool.submit(call, number) for number in range(20) for call in (pulling, releasing)]
        assert {call.result() for call in calls} == {200}
    assert differences(api, used) == []


def test_a_removal_and_a_release_at_the_same_time_do_not_deadlock(api: Api, account: str) -> None:
    client = api.client(api.admin)
    for number in range(5):
        path = f"/v1/accounts/{account}/credentials/{add(client, account, f'c-{number}', HOST)['id']}"
        for name in ("a", "b", "c"):
            workload = {"kind": "job", "name": name}
            assert pull(client, account, f"{HOST}/acme/app:1", workload=workload).status_code == 200
        with ThreadPoolExecutor(2) as pool:
            gone = pool.submit(release, api.client(api.admin), account, whole_project=True)
            forced = pool.submit(api.client(api.admin).delete, f"{path}?force=true&reason=over", headers=ANY)
            assert (gone.result().status_code, forced.result().status_code) == (200, 204)
