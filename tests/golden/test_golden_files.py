"""The stored schemas and examples, on which consumers rely, match the code."""

import importlib
import json
import pkgutil
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import contracts
from docs.contract_documents.__main__ import main
from docs.contract_documents.examples import EXAMPLES
from docs.contract_documents.golden import (
    RELEASED,
    broken_promises,
    golden_files,
    released_names,
    schema_of,
)
from eventlog.events import EVENTS, EventRegistry, EventType, encode
from eventlog.events.codec import decode
from tests.support.servers import ROOT

FOLDER = ROOT / "docs" / "schemas" / "events"
STORED = {file.name: file.read_text(encoding="utf-8") for file in FOLDER.glob("*.json")}
NAMES = released_names((FOLDER / RELEASED).read_text(encoding="utf-8"))
WRITE = "run `python -m docs.contract_documents docs`"


def test_every_event_of_the_contracts_has_an_example() -> None:
    for module in pkgutil.iter_modules(contracts.__path__):
        importlib.import_module(f"contracts.{module.name}")
    assert {kind.payload_class for kind in EVENTS.all_types()} == set(EXAMPLES), (
        "add it to docs/contract_documents/examples.py"
    )


def test_the_stored_files_match_the_code() -> None:
    current = golden_files()
    assert sorted(STORED) == sorted(current), WRITE
    for name, text in current.items():
        assert STORED[name] == text, f"{name}: {WRITE}"


def test_released_events_are_unchanged() -> None:
    assert broken_promises(NAMES, STORED, golden_files()) == []


@pytest.mark.parametrize("name", sorted(name for name in STORED if name.endswith(".example.json")))
def test_a_stored_example_is_read_as_its_newest_version(name: str) -> None:
    event, version = name.removesuffix(".example.json").rsplit(".v", 1)
    read = decode(event, int(version), STORED[name])
    newest = EVENTS.since(event, int(version))[-1]
    assert type(read) is newest.payload_class
    if newest.version == int(version):
        assert json.loads(encode(read)[2]) == json.loads(STORED[name])


@pytest.mark.parametrize("kind", EVENTS.all_types(), ids=lambda kind: f"{kind.name}.v{kind.version}")
def test_a_schema_limits_every_text_number_and_list(kind: EventType) -> None:
    """A consumer can create columns from it. Every class has a description."""
    schema = schema_of(kind)
    for found in schema["$defs"].values():
        assert found.get("description"), found.get("title")
        for field, form in found.get("properties", {}).items():
            assert "additionalProperties" not in found
            for choice in form.get("anyOf", [form]):
                assert_bounded(choice, f"{kind.name}: {field}")


def assert_bounded(form: dict[str, Any], field: str) -> None:
    if "$ref" in form or form.get("type") == "null":
        return
    assert form.get("description"), field
    match form.get("type"):
        case "string":
            assert form.get("maxLength") or form.get("format") or "{" in form.get("pattern", ""), field
        case "integer":
            assert {"minimum", "maximum"} <= set(form), field
        case "array":
            assert "maxItems" in form, field
        case _:
            pass


@dataclass(frozen=True)
class Sent:
    """It was sent."""

    address: str
    description: str = ""


@dataclass(frozen=True)
class Changed:
    """It was sent."""

    address: str
    description: int = 0


@dataclass(frozen=True)
class Reworded:
    """It is on its way."""

    address: str
    description: str = ""


def files(payload_class: type, address: str = "here") -> dict[str, str]:
    schema = schema_of(EventType("parcel.sent", 1, payload_class))
    text = json.dumps(schema).replace(payload_class.__name__, "Sent")  # as if only the fields had changed
    return {
        "parcel.sent.v1.schema.json": text,
        "parcel.sent.v1.example.json": json.dumps({"address": address}),
    }


def test_a_released_class_cannot_change() -> None:
    [sentence] = broken_promises(["parcel.sent.v1"], files(Sent), files(Changed))
    assert sentence.startswith("parcel.sent.v1.schema.json is released, but the code would change it")
    [sentence] = broken_promises(["parcel.sent.v1"], files(Sent), files(Sent, address="there"))
    assert sentence.startswith("parcel.sent.v1.example.json")
    assert broken_promises([], files(Sent), files(Changed)) == []


def test_the_description_of_a_released_class_can_change() -> None:
    assert files(Sent) != files(Reworded)
    assert broken_promises(["parcel.sent.v1"], files(Sent), files(Reworded)) == []


def test_a_released_event_and_its_files_cannot_be_removed() -> None:
    assert len(broken_promises(["parcel.sent.v1"], files(Sent), {})) == 2
    assert len(broken_promises(["parcel.sent.v1"], {}, files(Sent))) == 2


def test_an_event_without_an_example_is_reported() -> None:
    registry = EventRegistry()
    registry.event("parcel.sent", version=1)(Sent)
    with pytest.raises(LookupError, match="version 1 has no example"):
        golden_files(registry.all_types())


def test_names_of_released_events_are_read() -> None:
    assert released_names("# why\n\na.b.v1\n c.d.v2 \n") == ["a.b.v1", "c.d.v2"]


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    """A copy of the files that the command writes."""
    shutil.copytree(FOLDER, tmp_path / "schemas" / "events")
    for name in ("events.md", "asyncapi.yaml"):
        shutil.copy(ROOT / "docs" / name, tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in folder.rglob("*") if file.is_file()}


def test_the_command_follows_the_code_until_an_event_is_released(docs: Path) -> None:
    before = contents(docs)
    folder = docs / "schemas" / "events"
    folder.joinpath(RELEASED).write_text("")
    folder.joinpath("credential.added.v1.schema.json").write_text("{}")
    folder.joinpath("parcel.sent.v1.schema.json").write_text("{}")
    folder.joinpath("credential.removed.v1.example.json").unlink()
    docs.joinpath("asyncapi.yaml").unlink()
    main(docs, release=False)
    assert contents(docs) == {**before, f"schemas/events/{RELEASED}": ""}

    main(docs, release=True)
    everything = [f"{kind.name}.v{kind.version}" for kind in EVENTS.all_types()]
    assert released_names(folder.joinpath(RELEASED).read_text()) == everything
    main(docs, release=True)
    assert released_names(folder.joinpath(RELEASED).read_text()) == everything


def test_the_command_does_not_change_released_events(docs: Path) -> None:
    folder = docs / "schemas" / "events"
    main(docs, release=True)
    golden = folder / "credential.added.v1.schema.json"
    golden.write_text(golden.read_text().replace("maxLength", "minLength"))
    folder.joinpath("credential.removed.v1.schema.json").write_text(
        STORED["credential.removed.v1.schema.json"]
    )
    docs.joinpath("events.md").write_text("gone")
    before = contents(docs)
    with pytest.raises(SystemExit, match=r"credential.added.v1.schema.json is released"):
        main(docs, release=True)
    assert contents(docs) == before
