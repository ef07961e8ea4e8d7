"""A running API accepts the examples of requests in the OpenAPI document."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from chassis.web.interface import document
from chassis.web.openapi import path_of
from tests.integration.issuing.calls import Api, add

ANY = {"If-Match": "*"}
ELSEWHERE = {"testLogin"}  # the verifier's, which would log in to a registry
EXAMPLES: list[Any] = [
    pytest.param(method, path, operation["requestBody"]["content"]["application/json"]["example"], id=name)
    for path, operations in document()["paths"].items()
    for method, operation in operations.items()
    if "requestBody" in operation and (name := operation["operationId"]) not in ELSEWHERE
]


def test_every_other_operation_with_a_body_is_tried(api: Api) -> None:
    served = {path_of(rule.rule) for rule in api.app.url_map.iter_rules()}
    assert {parameter.values[1] for parameter in EXAMPLES} <= served
    assert len(EXAMPLES) >= 11


@pytest.mark.parametrize(("method", "path", "example"), EXAMPLES)
def test_an_example_is_accepted(
    client: FlaskClient, account: str, method: str, path: str, example: dict[str, Any]
) -> None:
    credential = add(client, account, "other", "ghcr.io")["id"]
    address = path.format(account_id=account, credential_id=credential, project_id="shop")
    if path.startswith("/v1/service-tokens"):
        example = {**example, "accounts": [account]}
    if path.endswith("/secret/rollback"):
        rotated = {"credential": {"kind": "username_password", "username": "octo", "password": "next"}}
        assert client.put(address.removesuffix("/rollback"), json=rotated, headers=ANY).status_code == 200
    answer = client.open(address, method=method, json=example, headers=ANY)
    assert answer.status_code < 300, answer.text
