"""Requests of the tests of resolutions and pull secrets."""

from dataclasses import dataclass
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from chassis.authentication.tokens import TokenScope
from chassis.settings.environment import Settings
from operations.migrate.preparation import prepare_keys
from tests.support.system import add_body
from tests.support.tokens import store_token

Json = dict[str, Any]
CANARY = "canary-5b1e77a0"
WORKLOAD = {"kind": "deployment", "name": "storefront"}


@dataclass(frozen=True)
class Api:
    app: Flask
    settings: Settings
    admin: str

    def client(self, token: str) -> FlaskClient:
        client = self.app.test_client()
        client.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {token}"
        return client

    def token(self, *scopes: TokenScope, projects: frozenset[str] | None = None) -> str:
        keys = prepare_keys(self.settings.key_file)
        url = self.settings.required_database_url()
        return store_token(url, keys, scopes, projects=projects)


def add(client: FlaskClient, account: str, name: str, registry: str, **more: Any) -> Json:
    body = add_body(name, registry, "octo", f"{CANARY}-{name}", **more)
    answer = client.post(f"/v1/accounts/{account}/credentials", json=body)
    assert answer.status_code == 201, answer.text
    return answer.get_json()  # type: ignore[no-any-return]


def pull(
    client: FlaskClient, account: str, /, *images: str, headers: Json | None = None, **more: Any
) -> TestResponse:
    body = {"images": list(images), "project_id": "shop", "workload": WORKLOAD, **more}
    return client.post(f"/v1/accounts/{account}/pull-secrets", json=body, headers=headers)


def resolve(client: FlaskClient, account: str, image: str, **more: Any) -> TestResponse:
    body = {"image": image, "project_id": "shop", **more}
    return client.post(f"/v1/accounts/{account}/resolutions", json=body)
