"""`openapi.json` is current: all routes of the three services, for the one address."""

import json
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from chassis.web.interface import FILE, document
from docs.contract_documents import openapi
from docs.contract_documents.openapi import openapi_text, routes_of_services


def test_the_file_is_current() -> None:
    stored = FILE.read_text(encoding="utf-8")
    assert stored == openapi_text(), "run `python -m docs.contract_documents docs`"


def test_the_document_has_the_routes_of_every_service() -> None:
    paths = document()["paths"]
    account = "/v1/accounts/{account_id}"
    assert {"post", "get"} <= paths[f"{account}/credentials"].keys()  # commands; queries
    assert "post" in paths[f"{account}/verifications"]  # the verifier's
    assert "get" in paths[f"{account}/audit-events"]


def test_every_reference_exists() -> None:
    whole = document()
    text = json.dumps(whole)
    for kind in ("schemas", "responses", "parameters"):
        named = {part.split('"')[0] for part in text.split(f"#/components/{kind}/")[1:]}
        assert named <= whole["components"].get(kind, {}).keys()


def test_composing_the_services_connects_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as database:
        port = database.getsockname()[1]
        monkeypatch.setattr(openapi, "NOWHERE", f"postgresql://127.0.0.1:{port}/none?connect_timeout=2")
        assert routes_of_services()
        database.setblocking(False)
        with pytest.raises(BlockingIOError):
            database.accept()


def _operations() -> list[dict[str, Any]]:
    return [
        operation
        for operations in document()["paths"].values()
        for operation in operations.values()
        if isinstance(operation, dict)
    ]


def test_every_operation_has_an_id_of_its_own() -> None:
    ids = [operation["operationId"] for operation in _operations()]
    assert len(set(ids)) == len(ids) > 25
    assert all(re.fullmatch(r"[a-z]+(?:[A-Z][a-z]+)+", each) for each in ids)


def _examples() -> Iterator[tuple[str, dict[str, Any]]]:
    for operation in _operations():
        body = operation.get("requestBody")
        for where, holder in {**({"request": body} if body else {}), **operation["responses"]}.items():
            content = holder.get("content", {}).get("application/json")
            if content:
                yield f"{operation['operationId']} {where}", content


def test_every_body_has_an_example_that_its_schema_allows() -> None:
    components = document()["components"]
    for where, content in _examples():
        if where.split()[1] in {"request", "200", "201", "202"}:
            assert "example" in content, where
            validator = Draft202012Validator({**content["schema"], "components": components})
            assert not [error.message for error in validator.iter_errors(content["example"])], where


def test_every_operation_says_what_it_needs_and_what_can_go_wrong() -> None:
    for operation in _operations():
        name = operation["operationId"]
        assert "Needs " in operation["description"], name
        assert {"401", "403", "422", "429", "500", "503"} <= operation["responses"].keys() | {"403"}, name
        assert "default" not in operation["responses"], name
        headers = {
            parameter["$ref"].rsplit("/", 1)[1]
            for parameter in operation["parameters"]
            if "$ref" in parameter
        }
        codes = {
            code
            for response in operation["responses"].values()
            for code in response.get("x-problem-codes", ())
        }
        assert ("If-Match" in headers) == ("if_match_required" in codes), name
        assert ("Idempotency-Key" in headers) == ("idempotency_key_reused" in codes), name
        assert ("Regcred-Wait-For" in headers) == ("invalid_position" in codes), name
        assert ("Regcred-On-Behalf-Of" in headers) == ("invalid_on_behalf_of" in codes), name


OPEN = {
    "name",
    "project",
    "actor",
    "project_id",
    "request_id",
    "workload",
    "credential_name",
    "reference",
    "reason",
    "cursor",
}
CANONICAL = {"registry_host", "image", "source_ip", "since", "until"}


def test_every_other_text_in_a_query_is_one_of_a_set() -> None:
    """A misspelled filter is refused, and not a query that finds nothing."""
    parameters = {
        (parameter["name"], str(parameter["schema"].get("enum")))
        for operations in document()["paths"].values()
        for operation in operations.values()
        if isinstance(operation, dict)
        for parameter in operation.get("parameters", ())
        if parameter.get("in") == "query" and "string" in parameter["schema"].get("type", ())
        if "format" not in parameter["schema"]
    }
    assert {name for name, enum in parameters if enum == "None"} <= OPEN | CANONICAL
    assert {name for name, enum in parameters if enum != "None"} == {
        "action",
        "operation",
        "order",
        "outcome",
        "provider",
        "status",
    }
