"""The chain of hashes: its canonical form, and the faults that it detects."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eventlog.integrity import START, Anchor, Link, verify_chain
from eventlog.integrity.chain import GENESIS, FaultKind, HashedEvent, canonical, next_hash
from eventlog.integrity.errors import CheckpointTooEarly
from tests.support.servers import ROOT

ADR = ROOT / "docs" / "adr" / "0008-the-log-can-be-verified.md"
EXAMPLE = HashedEvent(
    recorded_at="2026-01-02T03:04:05.678901Z",
    event_id="018cc251-f400-7000-8000-000000000001",
    stream_id="0b7c3c5e-6f2d-5d5e-9f57-1c1f6a1f0d11",
    category="credential",
    account_id="acme",
    version=1,
    type="credential.removed",
    schema_version=1,
    data='{"forced": false, "reason": "the café is closed", "credential_id": "0b7c3c5e-6f2d-5d5e-9f57-1c1f6a1f0d11"}',
    meta='{"account_id": "acme"}',
)


def an_entry(number: int) -> HashedEvent:
    return replace(EXAMPLE, event_id=f"018cc251-f400-7000-8000-{number:012}", version=number)


def a_chain(entries: Sequence[HashedEvent], previous: bytes = GENESIS) -> list[Link]:
    links = []
    for position, entry in enumerate(entries, 1):
        previous = next_hash(previous, position, entry)
        links.append(Link(position, entry, previous))
    return links


CHAIN = a_chain([an_entry(number) for number in range(1, 8)])
END = Anchor(7, CHAIN[-1].hash)


def test_the_example_of_the_decision_record_is_correct() -> None:
    """The example can be checked with sha256sum alone."""
    text = canonical(GENESIS, 1, EXAMPLE)
    block = ADR.read_text().split("```text\n")[1].split("\n```")[0]
    assert text == block
    digest = next_hash(GENESIS, 1, EXAMPLE).hex()
    assert digest == sha256(block.encode()).hexdigest()
    assert f"`{digest}`" in ADR.read_text()


def test_an_intact_chain_has_no_fault() -> None:
    found = verify_chain(CHAIN)
    assert (found.fault, found.end, found.start) == (None, END, START)
    assert verify_chain([]).fault is None


def test_verification_can_start_at_a_trusted_position() -> None:
    start = Anchor(4, CHAIN[3].hash)
    assert verify_chain(CHAIN[4:], start=start).end == END
    fault = verify_chain(CHAIN[4:], start=replace(start, hash=GENESIS)).fault
    assert fault is not None
    assert fault.position == 5


@pytest.mark.parametrize("field", HashedEvent.__slots__)
@pytest.mark.parametrize("position", [1, 4, 6])
def test_a_changed_event_is_found_at_its_position(field: str, position: int) -> None:
    entry = an_entry(position)
    value = getattr(entry, field)
    changed = replace(entry, **{field: value + (1 if isinstance(value, int) else " ")})
    links = [*CHAIN]
    links[position - 1] = replace(links[position - 1], entry=changed)
    fault = verify_chain(links).fault
    assert fault is not None
    assert (fault.kind, fault.position) == (FaultKind.CHANGED_EVENT, position)


@pytest.mark.parametrize("position", [1, 4, 6, 7])
def test_a_changed_hash_is_distinguished_from_a_changed_event(position: int) -> None:
    links = [*CHAIN]
    links[position - 1] = replace(links[position - 1], hash=b"x" * 32)
    fault = verify_chain(links).fault
    assert fault is not None
    assert (fault.kind, fault.position) == (FaultKind.HASH_DIFFERS, position)
    signed = verify_chain(links, checkpoint=END).fault
    assert signed is not None
    assert (signed.kind, signed.position) == (FaultKind.HASH_DIFFERS, position)


def test_a_checkpoint_distinguishes_a_changed_last_event_from_its_hash() -> None:
    links = [*CHAIN[:-1], replace(CHAIN[-1], entry=replace(an_entry(7), account_id="other"))]
    fault = verify_chain(links, checkpoint=END).fault
    assert fault is not None
    assert (fault.kind, fault.position) == (FaultKind.CHANGED_EVENT, 7)


def test_missing_rows_and_missing_events_are_distinguished() -> None:
    without = verify_chain([*CHAIN[:3], *CHAIN[4:]]).fault
    assert without is not None
    assert (without.kind, without.position) == (FaultKind.MISSING_POSITION, 4)
    emptied = verify_chain([*CHAIN[:3], replace(CHAIN[3], entry=None), *CHAIN[4:]]).fault
    assert emptied is not None
    assert (emptied.kind, emptied.position) == (FaultKind.MISSING_EVENT, 4)


def test_a_rewritten_log_is_detected_by_the_checkpoint() -> None:
    entries = [an_entry(number) for number in range(1, 8)]
    entries[1] = replace(entries[1], account_id="somebody-else")
    rewritten = a_chain(entries)
    assert verify_chain(rewritten).fault is None
    fault = verify_chain(rewritten, checkpoint=END).fault
    assert fault is not None
    assert (fault.kind, fault.position) == (FaultKind.CHECKPOINT_DIFFERS, 7)


def test_a_truncated_log_is_detected_by_the_checkpoint() -> None:
    assert verify_chain(CHAIN[:5]).fault is None
    fault = verify_chain(CHAIN[:5], checkpoint=END).fault
    assert fault is not None
    assert (fault.kind, fault.position) == (FaultKind.MISSING_AFTER, 6)


def test_a_log_can_be_longer_than_its_checkpoint() -> None:
    found = verify_chain(CHAIN, checkpoint=Anchor(3, CHAIN[2].hash))
    assert (found.fault, found.checkpoint) == (None, 3)
    assert verify_chain(CHAIN, checkpoint=START).fault is None


def test_a_checkpoint_before_the_start_is_refused() -> None:
    with pytest.raises(CheckpointTooEarly):
        verify_chain(CHAIN[4:], start=Anchor(4, CHAIN[3].hash), checkpoint=Anchor(3, CHAIN[2].hash))
    at_the_seam = Anchor(4, CHAIN[3].hash)
    assert verify_chain(CHAIN[4:], start=at_the_seam, checkpoint=at_the_seam).checkpoint == 4
    fault = verify_chain(CHAIN[4:], start=at_the_seam, checkpoint=Anchor(4, GENESIS)).fault
    assert fault is not None
    assert fault.kind is FaultKind.CHECKPOINT_DIFFERS


def test_a_line_break_in_a_field_is_detected() -> None:
    """Both have the same canonical lines, but no field of the log can contain a line break."""
    split = replace(EXAMPLE, category="credential\nacme", account_id="1", version=0, type="x")
    digest = next_hash(GENESIS, 1, split)
    fault = verify_chain([Link(1, split, digest)]).fault
    assert fault is not None
    assert fault.kind is FaultKind.CHANGED_EVENT


SHUFFLES: dict[str, Callable[[list[Link]], list[Link]]] = {
    "backwards": lambda links: links[::-1],
    "two rows swapped": lambda links: [*links[:2], links[3], links[2], *links[4:]],
    "events under other rows": lambda links: [
        replace(link, entry=other.entry) for link, other in zip(links, links[::-1], strict=True)
    ],
    "the last row twice": lambda links: [*links, links[-1]],
    "the first row twice": lambda links: [links[0], *links],
}


@pytest.mark.parametrize("shuffle", SHUFFLES.values(), ids=SHUFFLES)
def test_a_changed_order_is_detected(shuffle: Callable[[list[Link]], list[Link]]) -> None:
    assert verify_chain(shuffle(CHAIN)).fault is not None


@given(st.integers(0, 6), st.sampled_from(HashedEvent.__slots__), st.text() | st.integers())
def test_any_changed_field_is_detected(index: int, field: str, value: str | int) -> None:
    link = CHAIN[index]
    assert link.entry is not None
    content: dict[str, Any] = {field: value}
    changed = replace(link.entry, **content)
    links = [*CHAIN[:index], replace(link, entry=changed), *CHAIN[index + 1 :]]
    same = canonical(GENESIS, 1, changed) == canonical(GENESIS, 1, link.entry)
    assert (verify_chain(links, checkpoint=END).fault is None) == same
