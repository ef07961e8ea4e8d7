"""Concurrent restrictions, rotations, removals and pull secrets: responses hold, by the clock and in the log.

No position of a `secret.issued` may lie where the credential was restricted, removed, or at another secret; and no
pull secret that was requested after the response to a restriction or removal may be issued.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from threading import Event, Lock
from time import monotonic

import psycopg

from tests.integration.issuing.calls import Api, Json
from tests.support.system import add_body

ROUNDS = 25  # of restricting and freeing each credential
CREDENTIALS = 3
PULLERS = 6
ACCOUNT = "race"


@dataclass
class Observed:
    """What callers saw. `closed` are the spans between the responses to a restriction and to its end, by host."""

    closed: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    pulls: list[tuple[float, float, str, int]] = field(default_factory=list)  # asked, answered, host, status
    lock: Lock = field(default_factory=Lock)


class Caller:
    def __init__(self, api: Api) -> None:
        self._client = api.client(api.admin)
        self._base = f"/v1/accounts/{ACCOUNT}"

    def add(self, name: str, host: str) -> Json:
        body = add_body(name, host, "octo", "secret-1")
        answer = self._client.post(f"{self._base}/credentials", json=body)
        assert answer.status_code == 201, answer.text
        return answer.get_json()  # type: ignore[no-any-return]

    def restrict(self, credential_id: str, restricted: bool) -> None:
        answer = self._client.put(
            f"{self._base}/credentials/{credential_id}/restrictions?force=true&reason=test",
            json={"restricted": restricted},
            headers={"If-Match": "*"},
        )
        assert answer.status_code == 200, answer.text

    def rotate(self, credential_id: str) -> None:
        secret = {"kind": "username_password", "username": "octo", "password": "secret-n"}
        answer = self._client.put(
            f"{self._base}/credentials/{credential_id}/secret",
            json={"credential": secret},
            headers={"If-Match": "*"},
        )
        assert answer.status_code in {200, 412}, answer.text

    def remove(self, credential_id: str) -> None:
        answer = self._client.delete(
            f"{self._base}/credentials/{credential_id}?force=true&reason=race", headers={"If-Match": "*"}
        )
        assert answer.status_code == 204, answer.text

    def pull(self, *hosts: str) -> int:
        body = {
            "images": [f"{host}/app" for host in hosts],
            "project_id": "shop",
            "workload": {"kind": "job", "name": "race"},
        }
        return self._client.post(f"{self._base}/pull-secrets", json=body).status_code


def test_no_secret_is_issued_after_a_completed_restriction_or_removal(api: Api, database_url: str) -> None:
    caller = Caller(api)
    hosts = [f"reg-{number}.example.com" for number in range(CREDENTIALS)]
    ids = {host: caller.add(f"credential-{host[4]}", host)["id"] for host in hosts}
    seen, over = Observed(closed={host: [] for host in hosts}), Event()

    def toggle(host: str) -> None:
        mine, pause = Caller(api), Event()
        for _ in range(ROUNDS):
            mine.restrict(ids[host], restricted=True)
            answered = monotonic()
            pause.wait(0.01)
            seen.closed[host].append((answered, monotonic()))
            mine.restrict(ids[host], restricted=False)
            mine.rotate(ids[host])
            pause.wait(0.01)
        mine.remove(ids[host])
        seen.closed[host].append((monotonic(), float("inf")))
        pause.wait(0.1)

    def pull(number: int) -> None:
        mine, turn = Caller(api), number
        while not over.is_set():
            turn += 1
            asked = hosts if turn % 3 == 0 else [hosts[turn % CREDENTIALS]]
            began = monotonic()
            status = mine.pull(*asked)
            ended = monotonic()
            with seen.lock:
                seen.pulls += [(began, ended, host, status) for host in asked]

    with ThreadPoolExecutor(CREDENTIALS + PULLERS) as threads:
        pullers = [threads.submit(pull, number) for number in range(PULLERS)]
        for toggled in [threads.submit(toggle, host) for host in hosts]:
            toggled.result()
        over.set()
        for puller in pullers:
            puller.result()

    statuses = {status for *_, status in seen.pulls}
    assert {200, 403, 404} <= statuses <= {200, 403, 404, 503}
    for began, ended, host, status in seen.pulls:
        for closed, opened in seen.closed[host]:
            assert not (closed <= began and ended <= opened and status == 200), (host, began, ended)

    issued = check_log(database_url)
    assert issued > CREDENTIALS * ROUNDS


def check_log(database_url: str) -> int:
    """Check the log as an auditor does; the number of issued secrets."""
    with psycopg.connect(database_url, autocommit=True) as superuser:
        [epoch] = superuser.execute("SELECT es.lead('relay', '0')").fetchone() or (0,)
        last = -1
        while True:
            [position] = superuser.execute("SELECT es.sequence(%s, 1000)", (epoch,)).fetchone() or (0,)
            if position == last:
                break
            last = position
        rows = superuser.execute(
            "SELECT e.type, e.data FROM es.log l JOIN es.events e USING (stream_id, version)"
            " JOIN es.streams s USING (stream_id) WHERE s.account_id = %s ORDER BY l.position",
            (ACCOUNT,),
        ).fetchall()
    usable: dict[str, int | None] = {}  # credential to the version of its secret, None while restricted
    versions: dict[str, int] = {}
    issued = 0
    for name, data in rows:
        credential_id = data.get("credential_id")
        match name:
            case "credential.added" | "credential.secret_rotated":
                versions[credential_id] = data["secret"]["version"]
                usable[credential_id] = versions[credential_id]
            case "credential.restrictions_changed":
                restricted = data["restrictions"]["restricted"]
                usable[credential_id] = None if restricted else versions[credential_id]
            case "credential.removed":
                del usable[credential_id]
            case "secret.issued":
                assert usable.get(credential_id) == data["secret_version"], (credential_id, data)
                issued += 1
            case _:
                pass
    return issued
