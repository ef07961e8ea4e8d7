"""`openapi.json` is current: all routes of the three services, for the one address."""

import json
import socket

import pytest

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


OPEN = {
    "name",
    "project",
    "actor",
    "project_id",
    "request_id",
    "credential_name",
    "reference",
    "reason",
    "cursor",
}
CANONICAL = {"registry_host", "image", "since", "until"}


def test_every_other_text_in_a_query_is_one_of_a_set() -> None:
    """A misspelled filter is refused, and not a query that finds nothing."""
    parameters = {
        (parameter["name"], str(parameter["schema"].get("enum")))
        for operations in document()["paths"].values()
        for operation in operations.values()
        if isinstance(operation, dict)
        for parameter in operation.get("parameters", ())
        if parameter["in"] == "query" and "string" in parameter["schema"].get("type", ())
        if "format" not in parameter["schema"]
    }
    assert {name for name, enum in parameters if enum == "None"} <= OPEN | CANONICAL
    assert {name for name, enum in parameters if enum != "None"} == {
        "action",
        "order",
        "outcome",
        "provider",
        "status",
    }
