"""An account that has left is erased with the command of the runbook, in both modes."""

import json
import re
import shlex
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from tests.e2e.conftest import Running
from tests.e2e.test_cli import Client
from tests.support.servers import ROOT

CANARY = "canary-of-erasing"
_numbers = count(1)


def everything(url: str) -> str:
    """All rows of all tables, as text."""
    with psycopg.connect(url) as connection:
        tables = connection.execute(
            "SELECT schemaname, tablename FROM pg_tables"
            " WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
        ).fetchall()
        return "\n".join(
            row
            for schema, table in tables
            for (row,) in connection.execute(
                sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(schema, table))
            ).fetchall()
        )


def command_of_the_runbook(account: str) -> list[str]:
    """The command of `docs/runbook.md`, for another account than that of its example."""
    [command] = re.findall(
        r"^docker compose run --rm -T migrate (accounts erase .+)$", _runbook(), re.MULTILINE
    )
    return [account if word == "acme" else word for word in shlex.split(command)]


def _runbook() -> str:
    return (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")


def send_texts_of_a_caller(running: Running, account: str) -> None:
    """Requests that store text which the caller chooses, in each place that accepts any."""
    headers = {
        "X-Request-Id": f"{CANARY}-request",
        "Idempotency-Key": f"{CANARY}-key",
        "Regcred-On-Behalf-Of": f"{CANARY}@example.com",
    }
    with running.system.client() as http:
        path = f"/v1/accounts/{account}"
        workload = {"kind": f"{CANARY}-kind", "name": f"{CANARY} name"}
        body = {"project_id": "shop", "workload": workload}
        image = f"{running.registry.address}/shop"
        answer = http.post(f"{path}/pull-secrets", json=body | {"images": [image]}, headers=headers)
        assert answer.status_code == 200, answer.text
        headers["Idempotency-Key"] += "-2"
        image = "elsewhere.example.com/shop"
        answer = http.post(f"{path}/pull-secrets", json=body | {"images": [image]}, headers=headers)
        assert answer.status_code == 404, answer.text
        filters = ("actor", "project_id", "request_id")
        asked = dict.fromkeys(filters, CANARY) | {
            "image": f"{CANARY}/shop",
            "registry_host": f"{CANARY}.example.com",
        }
        assert http.get(f"{path}/audit-events", params=asked, headers=headers).status_code == 200
        after = {"Regcred-Wait-For": answer.headers["Regcred-Position"]}
        found = http.get(f"{path}/audit-events?request_id={CANARY}-request", headers=after)
        assert CANARY in found.text


def test_an_account_is_erased_and_the_log_stays_intact(running: Running, tmp_path: Path) -> None:
    account = f"left-{next(_numbers)}"
    url = running.system.database_url()
    client = Client(running, account)
    operator = Client(running, account)
    operator.environment |= {
        "REGCRED_HOME": str(running.system.home),
        "REGCRED_DATABASE_URL": url,
        "REGCRED_LOG_KEY_FILE": str(tmp_path / "log-key.pem"),
    }
    client.add("team", "--description", CANARY)
    client.run("credentials", "edit", "team", "--description", f"{CANARY}-2")
    send_texts_of_a_caller(running, account)
    assert "still has 1 credentials" in operator.run(*command_of_the_runbook(account), code=1).stderr
    client.run("credentials", "remove", "team", "--force", "--reason", CANARY, "--yes")
    before = client.json("audit")["items"][::-1]
    assert CANARY in json.dumps(before)
    operator.run("log", "keygen")
    operator.run("audit", "proof", "--output", str(tmp_path / "earlier.proof"))
    assert CANARY not in (tmp_path / "earlier.proof").read_text()

    done = operator.run(*command_of_the_runbook(account), "--as", "operator")
    assert "the read models no longer contain its personal data" in done.stdout

    after = client.json("audit")["items"][::-1]
    assert [row["action"] for row in after if row["action"] != "audit.read"] == [
        *(row["action"] for row in before if row["action"] != "audit.read"),
        "account.erased",
    ]
    assert [row["position"] for row in after[: len(before)]] == [row["position"] for row in before]
    assert {row["actor"]["name"] for row in after if row["actor"]["type"] == "service"} == {"erased"}
    [erasure] = [row for row in after if row["action"] == "account.erased"]
    assert (erasure["actor"]["name"], erasure["reason"]) == ("operator", "has left us")
    assert CANARY not in everything(url)
    operator.run("log", "verify")
    operator.run("projections", "rebuild", "--no-switch")
    with psycopg.connect(url) as connection:
        [live] = connection.execute(
            "SELECT generation FROM rm.generations WHERE status = 'live'"
        ).fetchone() or [0]
        [built] = connection.execute("SELECT max(generation) FROM rm.generations").fetchone() or [0]
        rows = sql.SQL("SELECT t::text FROM {} t WHERE account_id = %s AND position <= %s ORDER BY position")
        of_live, of_built = (
            connection.execute(
                rows.format(sql.Identifier(f"rm_g{number}", "audit_events")), (account, erasure["position"])
            ).fetchall()
            for number in (live, built)
        )
    assert of_live == of_built
    operator.run("projections", "drop", str(built))
    operator.run("audit", "proof", "--output", str(tmp_path / "later.proof"))
    proofs = [str(tmp_path / "later.proof"), "--earlier", str(tmp_path / "earlier.proof")]
    client.run("audit", "verify", *proofs, "--public-key", str(tmp_path / "log-key.pem.pub"))
    assert operator.json("deadletters", "list")["items"] == []
