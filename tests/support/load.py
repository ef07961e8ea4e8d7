"""Commands one after another while something is broken, and a check of their effects afterwards."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread
from typing import Any, Self

import httpx2

from tests.support.system import add_body
from tests.support.timing import PATIENCE, waiting

# A registry gets ten logins a second: what is added faster than they can catch up with tells of the pace, not of
# faults.
BETWEEN_SECONDS = 0.05
ADDED_AND_VERIFIED = ("credential.added", "verification.succeeded")


@dataclass(frozen=True)
class Target:
    """A running regcred: its clients, and a registry that it may reach, with a valid login."""

    client: Callable[[], httpx2.Client]
    registry: str
    user: str
    password: str


class Load:
    """Credentials added one after another; a request without an answer is sent again under its key."""

    def __init__(self, target: Target, account: str) -> None:
        self._target = target
        self._account = account
        self._stop = Event()
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._run)
        self.answered: list[str] = []

    def _run(self) -> None:
        try:
            with self._target.client() as client:
                number = 0
                while not self._stop.is_set():
                    number += 1
                    self.answered.append(self._add(client, number))
                    self._stop.wait(BETWEEN_SECONDS)
        except BaseException as error:
            self._failure = error

    def _add(self, client: httpx2.Client, number: int) -> str:
        body = add_body(f"load-{number}", self._target.registry, self._target.user, self._target.password)
        headers = {"Idempotency-Key": f"{self._account}-{number}"}
        deadline = time.monotonic() + PATIENCE
        while True:
            assert time.monotonic() < deadline, "no answer in time"
            try:
                answer = client.post(f"/v1/accounts/{self._account}/credentials", json=body, headers=headers)
            except httpx2.TransportError:
                time.sleep(0.05)
                continue
            if answer.status_code == 201:
                return str(answer.json()["id"])
            # 502: a gateway's word for a process that died with the request; 504: for one that fell silent
            assert answer.status_code in (503, 409, 502, 504), answer.text
            assert answer.status_code == 502 or answer.headers["Retry-After"]
            time.sleep(0.1)

    def __enter__(self) -> Self:
        self._thread.start()
        waiting(lambda: len(self.answered) >= 5 or self._failure, "the load begins")
        return self

    def __exit__(self, *_error: object) -> None:
        before = len(self.answered)
        waiting(lambda: len(self.answered) >= before + 5 or self._failure, "it goes on", seconds=PATIENCE)
        self._stop.set()
        self._thread.join()
        assert self._failure is None, self._failure


def everything(client: httpx2.Client, path: str) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        page = client.get(path, params={"limit": 200} | ({"cursor": cursor} if cursor else {})).json()
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return items


def check(target: Target, account: str, answered: list[str], *, seconds: float = PATIENCE) -> None:
    """Each added credential is listed and verified, and each of its events is in the audit log once."""
    base = f"/v1/accounts/{account}"
    assert len(set(answered)) == len(answered)
    with target.client() as client:

        def settled() -> bool:
            items = everything(client, f"{base}/credentials")
            return len(items) >= len(answered) and all(
                item["verification"]["status"] == "verified" for item in items
            )

        waiting(settled, "everything is verified", seconds=seconds)
        listed = {item["id"] for item in everything(client, f"{base}/credentials")}
        assert listed == set(answered)
        trail = [e for e in everything(client, f"{base}/audit-events") if e["action"] != "audit.read"]
        counts = Counter((event["credential_id"], event["action"]) for event in trail)
        expected = {(id_, action) for id_ in answered for action in ADDED_AND_VERIFIED}
        assert set(counts) == expected
        assert set(counts.values()) == {1}
        added = {e["credential_id"]: e["position"] for e in trail if e["action"] == "credential.added"}
        for event in trail:
            assert event["position"] >= added[event["credential_id"]]
