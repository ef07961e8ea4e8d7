"""The case of a workload's kind does not matter, also in what 0.9.0 stored."""

from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from flask.testing import FlaskClient

from tests.integration.issuing.calls import add, pull

HOST = "reg.example.com"
ROOT = Path(__file__).parents[3]
MIGRATION = ROOT / "services/credentials/schema/0103_credentials_workload_kinds.sql"


def secret_of(client: FlaskClient, account: str, kind: str) -> Any:
    answer = pull(
        client,
        account,
        f"{HOST}/app",
        workload={"kind": kind, "name": "web"},
        format="kubernetes_secret",
    )
    assert answer.status_code == 200, answer.text
    return answer.get_json()["kubernetes_secret"]["metadata"]


def test_spellings_of_a_kind_are_one_workload(client: FlaskClient, account: str, database_url: str) -> None:
    stored = add(client, account, "team", HOST)
    usual, other = secret_of(client, account, "deployment"), secret_of(client, account, "Deployment")
    assert usual == other
    assert usual["annotations"] == {"regcred/workload": "deployment/web"}
    with psycopg.connect(database_url) as connection:
        found = connection.execute(
            "SELECT workload_kind FROM credentials.usages WHERE credential_id = %s", (UUID(stored["id"]),)
        ).fetchall()
    assert found == [("deployment",)]


def test_stored_spellings_are_merged(client: FlaskClient, account: str, database_url: str) -> None:
    credential_id = UUID(add(client, account, "team", HOST)["id"])
    insert = "INSERT INTO credentials.usages VALUES (%s, 'shop', %s, 'web', %s, %s)"
    of_credential = "FROM credentials.usages WHERE credential_id = %s"
    with psycopg.connect(database_url) as connection:
        connection.execute("DROP TRIGGER lower_workload_kind ON credentials.usages")
        connection.execute("DROP FUNCTION credentials.lower_workload_kind")
        for kind, moment, version in (("deployment", "2026-01-01Z", 1), ("Deployment", "2026-02-01Z", 2)):
            connection.execute(insert, (credential_id, kind, moment, version))
        connection.execute(MIGRATION.read_bytes())
        merged = connection.execute(
            f"SELECT workload_kind, last_issued_at = '2026-02-01Z', secret_version {of_credential}",
            (credential_id,),
        ).fetchall()
        assert merged == [("deployment", True, 2)]
        # A process of 0.9.0 that still runs:
        connection.execute(f"DELETE {of_credential}", (credential_id,))
        connection.execute(insert, (credential_id, "Job", "2026-02-01Z", 2))
        assert connection.execute(f"SELECT workload_kind {of_credential}", (credential_id,)).fetchone() == (
            "job",
        )
        connection.rollback()
