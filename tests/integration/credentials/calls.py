"""Requests of the tests of commands, and what they left in the log and the secret store."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Barrier
from typing import Any

import psycopg
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.system import add_body
from tests.support.timing import PATIENCE

Json = dict[str, Any]


def secret(password: str = "new") -> Json:
    return {"credential": {"kind": "username_password", "username": "octo", "password": password}}


def at_once(requests: Sequence[Callable[[], TestResponse]]) -> list[TestResponse]:
    """The responses to requests that are sent at the same moment, each by a thread of its own."""
    together = Barrier(len(requests))

    def send(request: Callable[[], TestResponse]) -> TestResponse:
        together.wait(PATIENCE)
        return request()

    with ThreadPoolExecutor(len(requests)) as threads:
        return list(threads.map(send, requests))


def statuses(responses: Sequence[TestResponse]) -> Counter[int]:
    return Counter(response.status_code for response in responses)


@dataclass(frozen=True)
class Caller:
    """A caller of the API. Its methods may be called by several threads."""

    app: Flask
    token: str
    database_url: str

    def call(
        self,
        method: str,
        path: str,
        json: Json | None = None,
        version: str | None = None,
        key: str | None = None,
        *,
        prefer: str | None = None,
    ) -> TestResponse:
        headers = {"Authorization": f"Bearer {self.token}"}
        if version is not None:
            headers["If-Match"] = version
        if key is not None:
            headers["Idempotency-Key"] = key
        if prefer is not None:
            headers["Prefer"] = prefer
        return self.app.test_client().open(f"/v1/accounts/{path}", method=method, json=json, headers=headers)

    def add(self, account: str, name: str = "team", *, key: str | None = None, **more: Any) -> TestResponse:
        body = add_body(name, "reg.example.com", "octo", "old", **more)
        return self.call("POST", f"{account}/credentials", body, key=key)

    def added(self, account: str, name: str = "team", *, key: str | None = None) -> str:
        """The path of a new credential, below the accounts."""
        response = self.add(account, name, key=key)
        assert response.status_code == 201, response.text
        return f"{account}/credentials/{response.get_json()['id']}"

    def change(self, path: str, version: str, *, key: str | None = None, **details: Any) -> TestResponse:
        return self.call("PATCH", path, details, version, key)

    def rotate(
        self, path: str, version: str, password: str = "new", *, key: str | None = None
    ) -> TestResponse:
        return self.call("PUT", f"{path}/secret", secret(password), version, key)

    def restrict(self, path: str, version: str, *projects: str) -> TestResponse:
        body = {"restricted": True, "projects": list(projects)}
        return self.call("PUT", f"{path}/restrictions", body, version)

    def remove(self, path: str, version: str, *, key: str | None = None) -> TestResponse:
        return self.call("DELETE", path, version=version, key=key)

    def verify(self, path: str, *, key: str | None = None, prefer: str | None = None) -> TestResponse:
        return self.call("POST", f"{path}/verifications", {}, key=key, prefer=prefer)

    def pull(self, account: str, *, key: str | None = None) -> TestResponse:
        body = {
            "images": ["reg.example.com/app"],
            "project_id": "shop",
            "workload": {"kind": "job", "name": "j"},
        }
        return self.call("POST", f"{account}/pull-secrets", body, key=key)

    def rows(self, query: str, *parameters: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.database_url) as superuser:
            return superuser.execute(query, parameters).fetchall()

    def events(self, account: str) -> Counter[str]:
        """The number of events of the account's credentials, by type."""
        query = (
            "SELECT e.type, count(*) FROM es.events e JOIN es.streams s USING (stream_id)"
            " WHERE s.account_id = %s AND s.category = 'credential' GROUP BY e.type"
        )
        return Counter(dict(self.rows(query, account)))

    def unreferenced_secrets(self, account: str) -> int:
        """The number of readable secrets that no event of their credential refers to."""
        query = (
            "SELECT count(*) FROM encrypted.secrets x WHERE x.account_id = %s AND NOT x.destroyed"
            " AND NOT EXISTS (SELECT FROM es.events e WHERE e.stream_id = x.credential_id"
            "                 AND (e.data#>>'{secret,version}')::int = x.version)"
        )
        return int(self.rows(query, account)[0][0])
