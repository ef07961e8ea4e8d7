"""Signed checkpoints and exported logs."""

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from eventlog.integrity import (
    Anchor,
    create_key,
    load_private,
    load_public,
    open_checkpoint,
    public_path,
    read_export,
    sign_checkpoint,
    verify_chain,
    write_export,
)
from eventlog.integrity.errors import (
    KeyExists,
    MalformedCheckpoint,
    MalformedExport,
    UnusableKey,
    WrongSignature,
)
from tests.unit.eventlog.integrity.test_chain import CHAIN, END

MOMENT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "log-key.pem"
    create_key(path)
    return path


def test_a_signed_checkpoint_is_read_back(key_file: Path) -> None:
    document = sign_checkpoint(END, load_private(key_file), time=MOMENT)
    opened = open_checkpoint(document, load_public(public_path(key_file)))
    assert (opened.anchor, opened.time) == (END, "2026-01-02T03:04:05Z")
    assert json.loads(document).keys() == {"format", "position", "hash", "time", "key_id", "signature"}


@pytest.mark.parametrize(
    ("field", "value"),
    [("position", 6), ("hash", "00" * 32), ("time", "2027-01-01T00:00:00Z"), ("key_id", "0" * 16)],
)
def test_a_changed_checkpoint_is_refused(key_file: Path, field: str, value: object) -> None:
    document = json.loads(sign_checkpoint(END, load_private(key_file), time=MOMENT))
    document[field] = value
    with pytest.raises(WrongSignature):
        open_checkpoint(json.dumps(document).encode(), load_public(public_path(key_file)))


def test_a_checkpoint_of_another_key_is_refused(key_file: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.pem"
    create_key(other)
    with pytest.raises(WrongSignature):
        open_checkpoint(
            sign_checkpoint(END, load_private(other), time=MOMENT), load_public(public_path(key_file))
        )


@pytest.mark.parametrize("document", [b"", b"[]", b"{}", b'{"format": "regcred-checkpoint-1"}'])
def test_a_malformed_checkpoint_is_reported(key_file: Path, document: bytes) -> None:
    with pytest.raises(MalformedCheckpoint):
        open_checkpoint(document, load_public(public_path(key_file)))


def test_another_format_or_an_invalid_position_is_malformed(key_file: Path) -> None:
    key = load_private(key_file)
    newer = json.loads(sign_checkpoint(END, key, time=MOMENT)) | {"format": "regcred-checkpoint-2"}
    with pytest.raises(MalformedCheckpoint):
        open_checkpoint(json.dumps(newer).encode(), key.public_key())
    for anchor in (Anchor(-1, END.hash), Anchor(1, b"short")):
        with pytest.raises(MalformedCheckpoint):
            open_checkpoint(sign_checkpoint(anchor, key, time=MOMENT), key.public_key())


def test_the_private_key_is_readable_only_by_its_owner_and_never_overwritten(key_file: Path) -> None:
    assert key_file.stat().st_mode & 0o777 == 0o600
    before = key_file.read_bytes()
    with pytest.raises(KeyExists):
        create_key(key_file)
    public_path(key_file).unlink()
    with pytest.raises(KeyExists):
        create_key(key_file)
    assert key_file.read_bytes() == before


def test_an_unusable_key_is_reported(key_file: Path, tmp_path: Path) -> None:
    for load in (load_private, load_public):
        with pytest.raises(UnusableKey):
            load(tmp_path / "absent")
        nonsense = tmp_path / "nonsense"
        nonsense.write_text("nonsense")
        with pytest.raises(UnusableKey):
            load(nonsense)
    with pytest.raises(UnusableKey):
        load_public(key_file)


def test_an_exported_log_is_verified_without_the_database() -> None:
    file = io.BytesIO()
    assert write_export(CHAIN, file) == 7
    file.seek(0)
    assert list(read_export(file)) == CHAIN
    file.seek(0)
    assert verify_chain(read_export(file)).end == END


def test_a_reformatted_export_is_still_intact() -> None:
    file = io.BytesIO()
    write_export(CHAIN, file)
    rewritten = [
        json.dumps(json.loads(line), sort_keys=True, ensure_ascii=True).encode()
        for line in file.getvalue().splitlines()
    ]
    assert verify_chain(read_export(rewritten)).end == END


@pytest.mark.parametrize("line", [b"", b"{}", b"[1]", b"nonsense"])
def test_a_malformed_line_of_an_export_is_reported_with_its_number(line: bytes) -> None:
    file = io.BytesIO()
    write_export(CHAIN[:2], file)
    with pytest.raises(MalformedExport, match="line 3"):
        list(read_export([*file.getvalue().splitlines(), line]))
