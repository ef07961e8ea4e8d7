"""The processes of the one-machine mode run the installed code, whatever the current folder contains."""

from pathlib import Path

import pytest

from launcher.supervisor import Supervisor
from tests.support.timing import waiting


def test_files_in_the_current_folder_are_not_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Like a file `console.py` in /tmp, which another user of the machine can write.
    (tmp_path / "json.py").write_text("raise SystemExit(1)")
    (tmp_path / "input").write_text("{}")
    monkeypatch.chdir(tmp_path)
    supervisor = Supervisor({"json": ("json.tool", "input", "output")}, {})
    try:
        supervisor.start_due()
        waiting((tmp_path / "output").exists)
    finally:
        supervisor.stop()
