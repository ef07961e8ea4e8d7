"""A backup is restored as another deployment with the commands of the runbook.

The chain is intact, the rebuilt read models equal the old ones, and the secrets can be decrypted.
"""

import os
from pathlib import Path
from typing import Any

from tests.containers.conftest import PASSWORD, USER
from tests.containers.test_runbook import ELSEWHERE, run, step
from tests.support.compose import REGISTRY, Deployment
from tests.support.system import add_body
from tests.support.timing import waiting

ACCOUNT = "moving"


def query_results(deployment: Deployment, until: str) -> dict[str, Any]:
    """What the queries say of the account; of its trail, what was before `until`."""
    base = f"/v1/accounts/{ACCOUNT}"
    with deployment.client() as client:
        return {
            "credentials": client.get(f"{base}/credentials").json()["items"],
            "trail": client.get(f"{base}/audit-events", params={"until": until}).json()["items"],
        }


def test_a_new_deployment_continues_from_a_backup(
    deployment: Deployment, images: Path | None, tmp_path: Path
) -> None:
    base = f"/v1/accounts/{ACCOUNT}"
    with deployment.client() as client:
        for name in ("first", "second"):
            answer = client.post(f"{base}/credentials", json=add_body(name, REGISTRY, USER, PASSWORD))
            assert answer.status_code == 201, answer.text

        def settled() -> str | None:
            items = client.get(f"{base}/credentials").json()["items"]
            states = {item["verification"]["status"] for item in items}
            trail = client.get(f"{base}/audit-events").json()["items"]
            return trail[0]["time"] if len(items) == 2 and states == {"verified"} else None

        until = str(waiting(settled, "both are verified"))
    before = query_results(deployment, until)
    assert len(before["trail"]) >= len(before["credentials"]) == 2
    run(deployment, tmp_path, step("Back up"))

    fresh = Deployment({"REGCRED_VERIFIER_ALLOW": REGISTRY, "REGCRED_VERIFIER_ALLOW_HTTP": REGISTRY}, images)
    fresh.project = f"regcred-restored-{os.getpid()}"
    with fresh:
        run(fresh, tmp_path, step(ELSEWHERE))
        fresh.up()
        assert query_results(fresh, until) == before
        with fresh.client() as client:
            asked = {"images": [f"{REGISTRY}/team/app:1"], "project_id": "shop", "format": "docker_config"}
            given = client.post(
                f"{base}/pull-secrets", json=asked | {"workload": {"kind": "job", "name": "j"}}
            )
            assert given.status_code == 200, given.text
            added = client.post(f"{base}/credentials", json=add_body("third", REGISTRY, USER, PASSWORD))
            assert added.status_code == 201, added.text
