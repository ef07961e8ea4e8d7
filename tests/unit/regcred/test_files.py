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


def test_a_file_is_replaced_when_all_is_written(tmp_path: Path) -> None:
    target = tmp_path / "audit.csv"
    target.write_text("old")
    with replacing(target) as file:
        file.write(b"new")
        assert target.read_text() == "old"
    assert target.read_text() == "new"
    assert target.stat().st_mode & 0o777 == 0o600
    assert names(tmp_path) == ["audit.csv"]


def test_what_breaks_off_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "audit.csv"
    target.write_text("old")
    with pytest.raises(RuntimeError):
        break_off(target)
    assert target.read_text() == "old"
    assert names(tmp_path) == ["audit.csv"]


def test_a_device_is_written_to_and_not_replaced() -> None:
    with replacing(Path("/dev/null")) as file:
        file.write(b"x")
    assert Path("/dev/null").is_char_device()


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputUnwritable, match="No such file"), replacing(tmp_path / "no" / "file"):
        pass
    with pytest.raises(OutputUnwritable, match="No such file"), new_private(tmp_path / "no" / "file"):
        pass


def test_a_new_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    target = tmp_path / "token"
    with new_private(target) as file:
        file.write(b"t")
    assert (target.read_text(), target.stat().st_mode & 0o777) == ("t", 0o600)
    with pytest.raises(OutputUnwritable, match="File exists"), new_private(target):
        pass
    assert target.read_text() == "t"


def test_a_new_file_goes_where_nothing_came_of_it(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), new_private(tmp_path / "token"):
        raise RuntimeError
    assert names(tmp_path) == []
