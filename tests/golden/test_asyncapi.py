"""`docs/asyncapi.yaml` is current, and follows the main rules of AsyncAPI 3.1."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from contracts.broker import CONSUMERS, TOPOLOGY
from docs.contract_documents.asyncapi import asyncapi, asyncapi_text
from docs.contract_documents.golden import golden_name, schema_of
from docs.contract_documents.yaml_text import to_yaml
from eventlog.events import EVENTS
from tests.support.servers import ROOT

DOCUMENT = asyncapi()
KINDS = EVENTS.all_types()
_KEY = re.compile(r"[\w.-]+")  # of components and operations (AsyncAPI 3.1, Components Object)


def test_the_file_is_current() -> None:
    stored = (ROOT / "docs" / "asyncapi.yaml").read_text(encoding="utf-8")
    assert stored == asyncapi_text(), "run `python -m docs.contract_documents docs`"


def resolve(reference: str) -> Any:
    found: Any = DOCUMENT
    assert reference.startswith("#/")
    for step in reference[2:].split("/"):
        found = found[step]
    return found


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_every_reference_exists() -> None:
    found = set(references(DOCUMENT))
    assert found
    for reference in found:
        assert isinstance(resolve(reference), dict), reference
    used = {reference.removeprefix("#/components/") for reference in found if "/components/" in reference}
    there = {f"{kind}/{name}" for kind, group in DOCUMENT["components"].items() for name in group}
    assert used == there


def test_the_parts_that_the_specification_requires_exist() -> None:
    assert DOCUMENT["asyncapi"] == "3.1.0"
    assert {"title", "version"} <= set(DOCUMENT["info"])
    for server in DOCUMENT["servers"].values():
        assert {"host", "protocol"} <= set(server)
    for group in (DOCUMENT["operations"], *DOCUMENT["components"].values()):
        assert all(_KEY.fullmatch(name) for name in group)


@pytest.mark.parametrize("name", sorted(DOCUMENT["operations"]))
def test_an_operation_uses_messages_of_its_channel(name: str) -> None:
    operation = DOCUMENT["operations"][name]
    assert operation["action"] == ("send" if name.startswith("publish.") else "receive")
    channel = operation["channel"]["$ref"]
    assert operation["messages"]
    for message in operation["messages"]:
        assert message["$ref"].startswith(f"{channel}/messages/")
        assert resolve(message["$ref"])["$ref"].startswith("#/components/messages/")


@pytest.mark.parametrize("kind", KINDS, ids=golden_name)
def test_an_event_has_channel_message_and_schema(kind: Any) -> None:
    channel = DOCUMENT["channels"][kind.name]
    assert channel["address"] == kind.name
    amqp = channel["bindings"]["amqp"]
    [events] = [exchange for exchange in TOPOLOGY.exchanges if exchange.name == amqp["exchange"]["name"]]
    assert (amqp["is"], amqp["exchange"]["type"]) == ("routingKey", events.type)
    message = resolve(channel["messages"][golden_name(kind)]["$ref"])
    assert message["headers"]["allOf"][1]["properties"]["cloudEvents:type"]["const"] == kind.name
    payload = resolve(message["payload"]["$ref"])
    assert payload["properties"].keys() == kind.payload_class.__dataclass_fields__.keys()
    golden = json.dumps(schema_of(kind)["$defs"]).replace("#/$defs/", "#/components/schemas/")
    for name, schema in json.loads(golden).items():
        assert DOCUMENT["components"]["schemas"][name] == schema
    assert message["examples"][0]["payload"].keys() == payload["properties"].keys()


@pytest.mark.parametrize("consumer", sorted(CONSUMERS))
def test_the_queue_of_a_consumer_has_the_messages_of_its_bindings(consumer: str) -> None:
    channel = DOCUMENT["channels"][f"regcred.{consumer}"]
    bound = {
        binding.routing_key
        for binding in TOPOLOGY.bindings
        if (binding.exchange, binding.queue) == ("regcred.events", f"regcred.{consumer}")
    }
    described = {
        resolve(reference["$ref"])["bindings"]["amqp"]["messageType"]
        for reference in channel["messages"].values()
    }
    assert described == ({kind.name for kind in KINDS} if bound == {"#"} else bound)
    assert f"regcred-{consumer}" in TOPOLOGY.users
    [queue] = [queue for queue in TOPOLOGY.queues if queue.name == f"regcred.{consumer}"]
    assert channel["x-arguments"] == queue.arguments


def test_every_kind_of_value_is_written_as_yaml() -> None:
    document = {
        "plain": "a: b # c",
        "no": [True, None, 1, -1.5, "ü", 'quo"te\n'],
        "1st": {"empty": {}, "none": [], "$ref": "#/x", "a:b": [{"x": 1, "z": [2]}, [3, [4]]]},
    }
    assert (
        to_yaml(document)
        == """\
plain: "a: b # c"
"no":
  - true
  - null
  - 1
  - -1.5
  - "ü"
  - "quo\\"te\\n"
"1st":
  empty: {}
  none: []
  $ref: "#/x"
  "a:b":
    - x: 1
      z:
        - 2
    - - 3
      - - 4
"""
    )
