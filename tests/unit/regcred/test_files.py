from pathlib import Path

import pytest

from regcred.cli.errors import OutputUnwritable
from regcred.cli.files import new_private, replacing


def names(folder: Path) -> list[str]:
    return [entry.name for entry in folder.iterdir()]


def break_off(target: Path) -> None:
    with replacing(target) as file:
        file.write(b"half")
        raise RuntimeError


def test_a_file_is_replaced_after_everything_is_written(tmp_path: Path) -> None:
    target = tmp_path / "audit.csv"
    target.write_text("old")
    with replacing(target) as file:
        file.write(b"new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["audit.csv"]


def test_an_interrupted_write_does_not_change_the_file(tmp_path: Path) -> None:
    target = tmp_path / "audit.csv"
    target.write_text("old")
    with pytest.raises(RuntimeError):
        break_off(target)
    assert target.read_text() == "old"
    assert names(tmp_path) == ["audit.csv"]


def test_a_device_is_written_and_not_replaced() -> None:
    with replacing(Path("/dev/null")) as file:
        file.write(b"x")
    assert Path("/dev/null").is_char_device()


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(OutputUnwritable, match="No such file"), replacing(tmp_path / "no" / "file"):
        pass
    with pytest.raises(OutputUnwritable, match="No such file"), new_private(tmp_path / "no" / "file"):
        pass


def test_a_new_file_is_readable_only_by_its_owner(tmp_path: Path) -> None:
    target = tmp_path / "token"
    with new_private(target) as file:
        file.write(b"t")
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("t", 0o600)
    with pytest.raises(OutputUnwritable, match="File exists"), new_private(target):
        pass
    assert target.read_text() == "t"


def test_a_new_file_is_deleted_after_a_failure(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), new_private(tmp_path / "token"):
        raise RuntimeError
    assert names(tmp_path) == []
