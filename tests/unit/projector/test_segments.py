"""Segments as files: every changed byte and every missing file is detected."""

import json
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from projector.archive.manifest import NONE_BEFORE, BrokenSegment, Manifest, file_name, sign_manifest
from projector.archive.segment_files import (
    MANIFEST,
    begin,
    check_chain,
    check_files,
    finish,
    folders,
    lines_of,
    open_segment,
    write_rows,
)
from projector.write.archived_segments import segment_name

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
ROWS = {"acme": (1, 3, 4), "globex": (2,)}
Sealing = Callable[..., Path]


def line(account_id: str, position: int) -> bytes:
    return json.dumps({"position": position, "account_id": account_id, "reason": "…"}).encode() + b"\n"


def seal(root: Path, first: int, previous: bytes = NONE_BEFORE, *, lacking: tuple[int, ...] = ()) -> Path:
    """Write a segment of four positions from `first`, with the accounts of `ROWS`."""
    folder = begin(root, segment_name(first, first + 3))
    files = [
        write_rows(
            folder,
            account_id,
            [line(account_id, first - 1 + number) for number in numbers if first - 1 + number not in lacking],
            news=1,
        )
        for account_id, numbers in ROWS.items()
    ]
    manifest = Manifest(
        first_position=first,
        last_position=first + 3,
        rows=sum(file.rows for file in files),
        lacking=lacking,
        earliest="2026-01-02T03:04:05Z",
        latest="2026-01-02T03:04:08Z",
        log_before=f"{first - 1:064x}",
        log_last=f"{first + 3:064x}",
        previous=previous.hex(),
        files=tuple(files),
        sealed_at="2026-02-01T00:00:00Z",
        sealed_by="ops",
    )
    return finish(folder, sign_manifest(manifest, KEY))


def check(root: Path, *, erased: frozenset[str] = frozenset()) -> None:
    segments = [open_segment(folder, KEY.public_key()) for folder in folders(root)]
    check_chain(segments)
    for segment in segments:
        check_files(segment, erased=erased)


def three_segments(root: Path) -> Path:
    previous = NONE_BEFORE
    for first in (1, 5, 9):
        previous = open_segment(seal(root, first, previous), KEY.public_key()).digest
    check(root)
    return root


@pytest.fixture
def three(tmp_path: Path) -> Path:
    return three_segments(tmp_path)


@pytest.fixture(scope="module")
def sealed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three segments that every test leaves unchanged."""
    return three_segments(tmp_path_factory.mktemp("sealed"))


def test_written_rows_are_read_unchanged(three: Path) -> None:
    segment = open_segment(folders(three)[1], KEY.public_key())
    file = segment.file_of("acme")
    assert file is not None
    assert list(lines_of(segment, file)) == [line("acme", position) for position in (5, 7, 8)]
    assert segment.file_of("nobody") is None


def tampered(whole: bytes, place: int) -> Iterator[bytes]:
    """Variants of the content in which one byte is changed, removed or doubled."""
    yield whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
    yield whole[:place] + whole[place + 1 :]
    yield whole[:place] + whole[place : place + 1] + whole[place:]


def assert_found(path: Path, places: Iterable[int], check: Callable[[], None]) -> None:
    """The check fails for each byte that is changed, removed or doubled, and passes for the original."""
    original = path.read_bytes()
    for place in places:
        for changed in tampered(original, place):
            if changed != original:
                path.write_bytes(changed)
                with pytest.raises(BrokenSegment):
                    check()
    path.write_bytes(original)
    check()


@pytest.mark.parametrize("name", ["acme.ndjson.gz", "globex.ndjson.gz"])
def test_every_changed_byte_of_the_rows_is_detected(three: Path, name: str) -> None:
    second = open_segment(folders(three)[1], KEY.public_key())
    path = second.folder / name
    assert_found(path, range(path.stat().st_size), lambda: check_files(second, erased=frozenset()))


def test_every_changed_token_of_the_manifest_is_detected(three: Path) -> None:
    """A byte in the middle of each token, because all bytes take too long."""
    text = (folders(three)[1] / MANIFEST).read_bytes()
    tokens = [(match.start() + match.end()) // 2 for match in re.finditer(rb'"[^"]*"|[^"\s]', text)]
    names = {name.encode() for name in Manifest.__struct_fields__}
    assert names <= {match.strip(b'"') for match in re.findall(rb'"[^"]*"', text)}
    assert_found(folders(three)[1] / MANIFEST, [*tokens, len(text) - 1], lambda: check(three))


@given(st.data())
def test_any_changed_byte_of_the_manifest_is_detected(sealed: Path, data: st.DataObject) -> None:
    path = folders(sealed)[1] / MANIFEST
    place = data.draw(st.integers(0, path.stat().st_size - 1))
    assert_found(path, [place], lambda: check(sealed))


@pytest.mark.parametrize("name", [MANIFEST, "acme.ndjson.gz", "globex.ndjson.gz"])
def test_an_appended_byte_is_detected(three: Path, name: str) -> None:
    path = folders(three)[1] / name
    path.write_bytes(path.read_bytes() + b"\n")
    with pytest.raises(BrokenSegment):
        check(three)


def test_missing_and_additional_files_are_detected(three: Path) -> None:
    first, second, third = folders(three)
    (second / "eve.ndjson.gz").write_bytes(b"")
    with pytest.raises(BrokenSegment, match=r"eve\.ndjson\.gz: it is not a file of this segment"):
        check(three)
    (second / "eve.ndjson.gz").unlink()
    (second / "globex.ndjson.gz").unlink()
    with pytest.raises(BrokenSegment, match=r"globex\.ndjson\.gz: it is missing"):
        check(three)
    check(
        three, erased=frozenset({"globex"})
    )  # the file of the erased account is gone; the others are still verified
    shutil.move(second, three.parent / "away")
    with pytest.raises(BrokenSegment, match="position 5 is expected next"):
        check(three)
    shutil.rmtree(first)
    check(three)  # segments before the first existing one are not required
    (third / MANIFEST).unlink()
    with pytest.raises(BrokenSegment, match="it is missing"):
        open_segment(third, KEY.public_key())


def test_a_replaced_or_renamed_segment_is_detected(
    three: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    other = seal(elsewhere, 5)
    shutil.rmtree(folders(three)[1])
    shutil.move(other, three / other.name)
    with pytest.raises(BrokenSegment, match="the previous segment is not"):
        check(three)
    (three / other.name).rename(three / "000000000005-000000000009")
    with pytest.raises(BrokenSegment, match="under another name"):
        check(three)
    with pytest.raises(BrokenSegment, match="not signed with this key"):
        open_segment(folders(three)[0], Ed25519PrivateKey.generate().public_key())


def test_positions_without_a_row_are_accepted_if_listed(tmp_path: Path) -> None:
    seal(tmp_path, 1, lacking=(3,))
    check(tmp_path)


def test_an_unfinished_segment_is_started_again(tmp_path: Path) -> None:
    name = segment_name(1, 4)
    write_rows(begin(tmp_path, name), "acme", [line("acme", 1)], news=1)
    assert folders(tmp_path) == []
    seal(tmp_path, 1)
    check(tmp_path)


def test_a_file_name_cannot_leave_the_folder() -> None:
    assert file_name("../../etc/x") == "..%2F..%2Fetc%2Fx.ndjson.gz"
    assert file_name("acme-1") == "acme-1.ndjson.gz"
