"""`docs/events.md` matches the code."""

import re
from dataclasses import fields
from typing import Any

import pytest

from contracts import credential_events
from contracts.credential_events import CredentialRemoved
from contracts.streams import credential_stream
from docs.contract_documents.event_page import page
from docs.contract_documents.examples import EXAMPLES, METADATA
from docs.contract_documents.messages import HEADERS, dataschema, example_message
from eventlog.broker import outgoing_message
from eventlog.broker.cloudevents import position_of
from eventlog.events import EVENTS, Actor, EventRegistry, Metadata, StoredEvent, encode, encode_metadata
from eventlog.events.codec import decode
from tests.support.servers import ROOT

PAGE = ROOT / "docs" / "events.md"
TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_is_current() -> None:
    assert page(TEXT) == TEXT, "run `python -m docs.contract_documents docs`"


def test_the_page_describes_every_field_of_every_event() -> None:
    sections = re.split(r"^### ", TEXT, flags=re.MULTILINE)
    for kind in EVENTS.all_types():
        [section] = [text for text in sections if text.startswith(f"{kind.name}, version {kind.version}\n")]
        described = set(re.findall(r"^\| `([a-z_.\[\]]+)` \|", section, flags=re.MULTILINE))
        assert {field.name for field in fields(kind.payload_class)} <= described
        assert f"routing key: {kind.name}" in section
    assert set(EXAMPLES) == {kind.payload_class for kind in EVENTS.all_types()}


def test_links_to_headings_and_files_exist() -> None:
    headings = {
        re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^#+ (.+)$", TEXT, flags=re.MULTILINE)
    }
    links = re.findall(r"\]\(([^)]+)\)", TEXT)
    assert links
    for link in links:
        if link.startswith("#"):
            assert link[1:] in headings, link
        elif not link.startswith("http"):
            assert (PAGE.parent / link.partition("#")[0]).exists(), link


@pytest.mark.parametrize("text", ["", "<!-- generated: headers -->\n<!-- end: headers -->\n"])
def test_a_page_without_its_markers_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="parts called"):
        page(text)


def test_the_described_headers_are_those_of_the_relay() -> None:
    [full] = [example_message(kind) for kind in EVENTS.all_types() if kind.name == "credential.added"]
    assert set(full.headers) == {header.key for header in HEADERS}
    bare = outgoing_message(
        StoredEvent(
            event_id=credential_stream(METADATA_ID).id,
            stream=credential_stream(METADATA_ID),
            version=1,
            type="credential.added",
            schema_version=1,
            payload="{}",
            metadata=encode_metadata(
                Metadata(
                    account_id="acme",
                    actor=Actor(type="system", id="verifier", name="verifier"),
                    occurred_at=METADATA.occurred_at,
                    request_id="r",
                    correlation_id="c",
                )
            ).decode(),
            recorded_at=METADATA.occurred_at,
            position=1,
        ),
        METADATA_ID,
    )
    assert set(bare.headers) == {header.key for header in HEADERS if header.required}


METADATA_ID = next(iter(EXAMPLES.values()))[1].id


@pytest.mark.parametrize("kind", EVENTS.all_types(), ids=lambda kind: f"{kind.name}.v{kind.version}")
def test_an_example_message_has_headers_as_described(kind: object) -> None:
    [found] = [one for one in EVENTS.all_types() if one is kind]
    message = example_message(found)
    assert message.routing_key == found.name == message.headers["cloudEvents:type"]
    assert message.headers["cloudEvents:dataschema"] == dataschema(found)
    assert position_of(message.headers) == message.position
    for header in HEADERS:
        value = message.headers[header.key]
        assert isinstance(value, str)
        assert value == header.schema.get("const", value)
        assert re.search(header.schema.get("pattern", ""), value)


def test_the_worked_example_of_a_new_version_works() -> None:
    [code] = re.findall(r"```python\n(.*?)```", TEXT, flags=re.DOTALL)
    registry = EventRegistry()
    registry.event("credential.removed", version=1)(CredentialRemoved)
    names = vars(credential_events) | {"event": registry.event, "Any": Any}
    exec(code, names)  # noqa: S102 it is ours
    stored = encode(EXAMPLES[CredentialRemoved][0])[2]
    read = decode("credential.removed", 1, stored, registry=registry)
    assert type(read).__name__ == "CredentialRemovedV2"
    assert (read.reason, read.manner) == ("the team is gone", "unused")  # type: ignore[attr-defined]
    name, version, data = encode(read, registry=registry)
    assert (name, version) == ("credential.removed", 2)
    assert decode(name, version, data, registry=registry) == read
