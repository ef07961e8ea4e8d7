"""A proof for one account: its content, and the detection of every change, omission and insertion."""

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from eventlog.events import encode
from eventlog.integrity import BrokenLog, BrokenProof, Link, Proven, account_proof, verify_proof, write_proof
from eventlog.integrity.chain import HashedEvent
from tests.support import builders
from tests.unit.eventlog.integrity.test_chain import EXAMPLE, a_chain

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
NOW = datetime(2026, 3, 1, tzinfo=UTC)


def an_event(number: int, account: str, stream: int, version: int) -> HashedEvent:
    return replace(
        EXAMPLE,
        event_id=f"018cc251-f400-7000-8000-{number:012}",
        account_id=account,
        stream_id=f"0b7c3c5e-6f2d-5d5e-9f57-{stream:012}",
        version=version,
    )


ENTRIES = [
    an_event(1, "acme", 1, 1),
    an_event(2, "other", 2, 1),
    an_event(3, "acme", 3, 1),
    an_event(4, "acme", 1, 2),
    an_event(5, "other", 2, 2),
    an_event(6, "acme", 3, 2),
]


def prove(links: Sequence[Link], account: str = "acme", key: Ed25519PrivateKey = KEY) -> bytes:
    file = io.BytesIO()
    write_proof(links, account, file, key=key, time=NOW)
    return file.getvalue()


def check(document: bytes, earlier: Proven | None = None) -> Proven:
    return verify_proof(io.BytesIO(document), KEY.public_key(), earlier=earlier)


PROOF = prove(a_chain(ENTRIES))


def test_a_proof_contains_only_the_events_of_its_account() -> None:
    proven = check(PROOF)
    assert (proven.account_id, proven.events, proven.log.position) == ("acme", 4, 6)
    assert proven.log.hash == a_chain(ENTRIES)[-1].hash
    assert b"other" not in PROOF
    nobody = check(prove(a_chain(ENTRIES), "nobody"))
    assert (nobody.events, nobody.log.position) == (0, 6)
    assert check(prove([])).log.position == 0


@pytest.mark.parametrize("flip", [0x01, 0x20, 0x80], ids=["a bit", "the case", "no ASCII"])
def test_a_changed_byte_is_detected(flip: int) -> None:
    for place in range(len(PROOF)):
        changed = bytearray(PROOF)
        changed[place] ^= flip
        with pytest.raises(BrokenProof):
            check(bytes(changed))


def test_a_removed_or_inserted_byte_is_detected() -> None:
    for place in range(len(PROOF)):
        with pytest.raises(BrokenProof):
            check(PROOF[:place] + PROOF[place + 1 :])
        for added in (b" ", b"\n", b"0"):
            with pytest.raises(BrokenProof):
                check(PROOF[:place] + added + PROOF[place:])
        with pytest.raises(BrokenProof):
            check(PROOF[:place])
    for behind in (b" ", b"\n", b"{}\n", PROOF):
        with pytest.raises(BrokenProof):
            check(PROOF + behind)


@given(data=st.data())
def test_exchanged_repeated_or_removed_lines_are_detected(data: st.DataObject) -> None:
    lines = PROOF.splitlines(keepends=True)
    other = data.draw(st.lists(st.sampled_from(lines), max_size=8))
    if other != lines:
        with pytest.raises(BrokenProof):
            check(b"".join(other))


def test_a_signature_of_another_key_is_refused() -> None:
    with pytest.raises(BrokenProof, match="not signed with this key"):
        check(prove(a_chain(ENTRIES), key=OTHER_KEY))


def test_a_gap_in_a_stream_is_detected_even_if_signed() -> None:
    without = a_chain([entry for entry in ENTRIES if entry is not ENTRIES[0]])
    with pytest.raises(BrokenProof, match="version 2 of its stream does not follow"):
        check(prove(without))


def test_a_proof_must_continue_an_earlier_proof() -> None:
    links = a_chain(ENTRIES)
    for length in range(len(links) + 1):
        earlier = check(prove(links[:length]))
        assert check(PROOF, earlier).events == 4
    changed = a_chain([replace(ENTRIES[0], data="{}"), *ENTRIES[1:]])
    with pytest.raises(BrokenProof, match="not those of the earlier proof"):
        check(PROOF, check(prove(changed[:3])))
    with pytest.raises(BrokenProof, match="some of which this one lacks"):
        check(prove(links[:4]), check(PROOF))
    with pytest.raises(BrokenProof, match="another account"):
        check(PROOF, check(prove(links, "other")))
    foreign = a_chain([*ENTRIES[:4], replace(ENTRIES[4], data="{}"), ENTRIES[5]])
    with pytest.raises(BrokenProof, match="the log is not that of"):
        check(PROOF, check(prove(foreign)))


def test_a_broken_log_gives_no_proof() -> None:
    links = a_chain(ENTRIES)
    links[1] = replace(links[1], hash=bytes(32))  # of another account, but in the same log
    with pytest.raises(BrokenLog, match="position 2"):
        prove(links)


def an_addition() -> tuple[list[HashedEvent], bytes]:
    """A log with an addition, and the fingerprint in it."""
    name, version, data = encode(builders.added(UUID(int=7)))
    fingerprint = json.loads(data)["secret"]["fingerprint"].encode()
    return [
        replace(ENTRIES[0], type=name, schema_version=version, data=data.decode()),
        *ENTRIES[1:],
    ], fingerprint


def test_a_proof_contains_no_fingerprint_of_a_secret() -> None:
    entries, fingerprint = an_addition()
    document = prove(a_chain(entries))
    assert fingerprint not in document
    assert check(document).events == 4


def test_a_proof_continues_one_with_fingerprints(monkeypatch: pytest.MonkeyPatch) -> None:
    entries, fingerprint = an_addition()
    with monkeypatch.context() as of_the_release_before:
        of_the_release_before.setattr(account_proof, "_public", lambda event: event)
        old = prove(a_chain(entries[:4]))
    assert fingerprint in old
    earlier = check(old)
    assert check(prove(a_chain(entries)), earlier).events == 4
    other = [*entries[:3], replace(entries[3], data='{"other": 1}'), *entries[4:]]
    with pytest.raises(BrokenProof):
        check(prove(a_chain(other)), earlier)


def test_data_that_is_no_json_is_detected() -> None:
    entries, _ = an_addition()
    document = prove(a_chain(entries))
    with pytest.raises(BrokenProof):
        check(document.replace(b'"data":"{', b'"data":"[', 1))
