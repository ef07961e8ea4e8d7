"""Internal fields have zeros outside of the log; the event keeps its published form."""

import json
from dataclasses import replace
from uuid import UUID

import pytest

from contracts.credential_events import CredentialSecretRotated
from eventlog.events import encode
from eventlog.events.codec import decode
from eventlog.events.internal import without_internal
from tests.support.builders import added
from tests.unit.projector.test_projections import ROTATED


@pytest.mark.parametrize("event", [added(UUID(int=1)), ROTATED])
def test_fingerprints_are_replaced_and_nothing_else(event: object) -> None:
    name, version, data = encode(event)
    shown = without_internal(name, version, data.decode())
    decode(name, version, shown)  # it still fits the schema
    found, before = json.loads(shown), json.loads(data)
    for part in ("secret", "previous_secret"):
        if part in before:
            assert before[part].pop("fingerprint") != "0" * 32
            assert found[part].pop("fingerprint") == "0" * 32
    assert found == before


def test_a_text_of_a_user_that_looks_like_a_field_stays() -> None:
    assert isinstance(ROTATED, CredentialSecretRotated)
    text = '"fingerprint": "' + "a" * 32 + '"'
    name, version, data = encode(replace(ROTATED, username=text))
    assert json.loads(without_internal(name, version, data.decode()))["username"] == text


@pytest.mark.parametrize(("name", "version"), [("credential.removed", 1), ("credential.added", 99), ("x", 1)])
def test_other_events_stay_as_they_are(name: str, version: int) -> None:
    assert without_internal(name, version, '{ "a":1}') == '{ "a":1}'
