"""The key file: only its owner can read it, it is never created again, and damage is reported with its place."""

import base64
import json
import os
import stat
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chassis.secret import Secret
from secretstore.keyfile import KeyFile, KeyFileError

KEY = base64.b64encode(b"k" * 32).decode()
PEPPER = base64.b64encode(b"p" * 32).decode()
GOOD = {"primary": "k1", "keys": {"k1": KEY}, "pepper": PEPPER}


def write(path: Path, document: object, mode: int = 0o600) -> Path:
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    path.chmod(mode)
    return path


def names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


def test_a_created_file_is_loaded(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    made, read = KeyFile.create(path), KeyFile.load(path)
    assert made.primary == read.primary == "k1"
    assert made.key("k1") == read.key("k1")
    assert len(made.key("k1")) == 32
    assert made.secret_fingerprint(Secret("a")) == read.secret_fingerprint(Secret("a"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert names(tmp_path) == ["keys.json"]


def test_two_files_have_different_keys(tmp_path: Path) -> None:
    one, other = KeyFile.create(tmp_path / "one"), KeyFile.create(tmp_path / "other")
    assert one.key("k1") != other.key("k1")
    assert one.secret_fingerprint(Secret("a")) != other.secret_fingerprint(Secret("a"))


def test_an_existing_file_is_not_replaced(tmp_path: Path) -> None:
    path = write(tmp_path / "keys.json", GOOD)
    assert KeyFile.create(path).key("k1") == b"k" * 32
    assert json.loads(path.read_text()) == GOOD


def test_one_of_many_concurrent_creators_creates_the_file(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    with ThreadPoolExecutor(8) as creators:
        made = list(creators.map(lambda _: KeyFile.create(path).key("k1"), range(16)))
    assert set(made) == {KeyFile.load(path).key("k1")}
    assert names(tmp_path) == ["keys.json"]


def test_the_draft_of_a_killed_creator_does_not_block_others(tmp_path: Path) -> None:
    """In a container each start has the same process id."""
    (tmp_path / f".keys.json.{os.getpid()}").write_text("half a draft")
    assert KeyFile.create(tmp_path / "keys.json").primary == "k1"


def test_an_unfinished_draft_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.mkdir()
    with pytest.raises(KeyFileError):
        KeyFile.create(path)
    assert names(tmp_path) == ["keys.json"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601, 0o777])
def test_a_file_that_others_can_access_is_refused(tmp_path: Path, mode: int) -> None:
    with pytest.raises(KeyFileError, match="0600"):
        KeyFile.load(write(tmp_path / "keys.json", GOOD, mode))


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_a_file_of_its_owner_is_accepted(tmp_path: Path, mode: int) -> None:
    assert KeyFile.load(write(tmp_path / "keys.json", GOOD, mode)).primary == "k1"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to somebody else")
def test_the_file_of_another_user_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "keys.json", GOOD)
    os.chown(path, 65534, 65534)
    with pytest.raises(KeyFileError, match="owned by this user"):
        KeyFile.load(path)


def test_a_symbolic_link_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.symlink_to(write(tmp_path / "elsewhere", GOOD))
    for attempt in (KeyFile.load, KeyFile.create):
        with pytest.raises(KeyFileError):
            attempt(path)


def test_loading_does_not_create_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(KeyFileError, match="No such file"):
        KeyFile.load(tmp_path / "keys.json")
    assert names(tmp_path) == []


def test_a_path_that_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    """Docker makes a directory where the file of a mount is missing."""
    (tmp_path / "folder").mkdir(mode=0o700)
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("folder", "pipe"):
        with pytest.raises(KeyFileError, match="not a regular file"):
            KeyFile.load(tmp_path / name)


@pytest.mark.parametrize(
    "document",
    [
        "",
        "{",
        "null",
        "[]",
        "5",
        '"text"',
        "[" * 100_000,
        {},
        {**GOOD, "keys": {}},
        {**GOOD, "keys": [KEY]},
        {**GOOD, "keys": {"k1": None}},
        {**GOOD, "keys": {"k1": "not base64!"}},
        {**GOOD, "keys": {"k1": KEY[:-8]}},
        {**GOOD, "keys": {"k1": KEY, "k2": ""}},
        {**GOOD, "primary": "k2"},
        {**GOOD, "primary": None},
        {**GOOD, "primary": ["k1"]},
        {**GOOD, "pepper": None},
        {**GOOD, "pepper": KEY[:20]},
        {name: value for name, value in GOOD.items() if name != "pepper"},
        json.dumps(GOOD)[:-30],
    ],
    ids=range(21),
)
def test_a_damaged_file_is_reported_and_not_shown(tmp_path: Path, document: object) -> None:
    path = write(tmp_path / "keys.json", document)
    before = path.read_bytes()
    for attempt in (KeyFile.load, KeyFile.create):
        with pytest.raises(KeyFileError) as raised:
            attempt(path)
        said = "".join(traceback.format_exception(raised.value))
        assert KEY[:16] not in said
        assert PEPPER[:16] not in said
    assert path.read_bytes() == before


def test_a_file_that_is_not_text_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_bytes(b"\xff\xfe\x00{")
    path.chmod(0o600)
    with pytest.raises(KeyFileError, match="damaged"):
        KeyFile.load(path)


def test_a_key_file_cannot_be_printed(tmp_path: Path) -> None:
    keys = KeyFile.load(write(tmp_path / "keys.json", GOOD))
    for text in (str(keys), repr(keys), f"{keys} {[keys]}"):
        assert "kkkk" not in text
        assert KEY not in text
    with pytest.raises(TypeError):
        vars(keys)


def test_a_key_file_cannot_be_pickled(tmp_path: Path) -> None:
    keys = KeyFile.load(write(tmp_path / "keys.json", GOOD))
    for attempt in (keys.__getstate__, keys.__reduce__, lambda: keys.__reduce_ex__(4)):
        with pytest.raises(TypeError):
            attempt()


def test_a_missing_key_is_named() -> None:
    keys = KeyFile(primary="k1", keys={"k1": b"k" * 32}, pepper=b"p" * 32)
    with pytest.raises(KeyFileError, match="no key k9"):
        keys.key("k9")


def test_hashes_differ_by_purpose() -> None:
    keys = KeyFile(primary="k1", keys={"k1": b"k" * 32}, pepper=b"p" * 32)
    assert keys.keyed_hash("token", b"a") == keys.keyed_hash("token", b"a")
    assert keys.keyed_hash("token", b"a") != keys.keyed_hash("request", b"a")
    assert keys.keyed_hash("token", b"a") != keys.keyed_hash("token", b"b")
    assert len(keys.keyed_hash("token", b"a")) == 64
    fingerprint = keys.secret_fingerprint(Secret("a"))
    assert len(fingerprint) == 32
    assert fingerprint == keys.keyed_hash("fingerprint", b"a")[:32]
