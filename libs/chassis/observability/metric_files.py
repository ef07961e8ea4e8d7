"""The files in which the processes of the one-machine mode store the values of metrics.

prometheus-client maps these files into memory. A write to a mapped page for which the disk has no block kills
the process with SIGBUS, so the blocks are reserved before. A value without room is not stored: its process
continues to count it, and stores it when there is room.

The name of a process is in the name of its files. A restarted process continues to count in the files of the
one before, so that their number does not grow.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from prometheus_client import mmap_dict, values

FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # prometheus-client reads it too
PROCESS = "REGCRED_METRICS_PROCESS"

_BYTES = 1 << 16  # of a new file; it is doubled when it is full
_HEADER_BYTES = 8
_ENTRY_BYTES = 40  # at most, in addition to its key


class MetricFile:
    """Stores values by their key. prometheus-client uses it in place of its `MmapedDict`."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._file: Any = None  # an open `MmapedDict`, whose methods have no types
        self._keys: set[str] = set()
        self._used = 0

    def read_value(self, key: str) -> tuple[float, float]:
        """Value and timestamp; zeros if there is no room for them."""
        file = self._file_with_room(key)
        found: tuple[float, float] = file.read_value(key) if file else (0.0, 0.0)
        return found

    def write_value(self, key: str, value: float, timestamp: float) -> None:
        """Store a value, unless there is no room."""
        file = self._file_with_room(key)
        if file:
            file.write_value(key, value, timestamp)

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _file_with_room(self, key: str) -> Any:
        try:
            if self._file is None:
                self._file = self._opened()
            if key not in self._keys:
                used = self._used + len(key.encode()) + _ENTRY_BYTES
                while (size := self._path.stat().st_size) < used:
                    _reserve(self._path, 2 * size)
                self._keys.add(key)
                self._used = used
        except OSError:
            return None
        return self._file

    def _opened(self) -> Any:
        if not self._path.exists():
            draft = self._path.with_suffix(".new")  # a scrape reads complete files only
            try:
                _reserve(draft, _BYTES)
            except OSError:
                draft.unlink(missing_ok=True)
                raise
            draft.rename(self._path)
        file: Any = mmap_dict.MmapedDict(str(self._path))  # type: ignore[no-untyped-call]
        self._keys = {key for key, *_ in file.read_all_values()}
        self._used = _HEADER_BYTES + sum(len(key.encode()) + _ENTRY_BYTES for key in self._keys)
        return file


def use_metric_files(environment: Mapping[str, str] = os.environ) -> None:
    """Store the values of this process in files, if the environment names a folder.

    Call it before the first metric is created.
    """
    if environment.get(FOLDER):
        name = environment[PROCESS]
        _delete_gauges(environment, name)
        values.MmapedDict = MetricFile  # type: ignore[attr-defined, assignment]
        values.ValueClass = values.MultiProcessValue(lambda: name)  # type: ignore[no-untyped-call]


def empty_folder(folder: Path) -> None:
    """Delete the values of an earlier `regcred up`."""
    folder.mkdir(mode=0o700, exist_ok=True)
    for file in folder.iterdir():
        file.unlink()


def _delete_gauges(environment: Mapping[str, str], name: str) -> None:
    for file in Path(environment[FOLDER]).glob(f"gauge_live*_{name}.db"):
        with suppress(FileNotFoundError):
            file.unlink()


def _reserve(path: Path, size: int) -> None:
    """Let a file have `size` bytes, and a block on the disk for each of them. Raises `OSError`."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        os.posix_fallocate(descriptor, 0, size)
    finally:
        os.close(descriptor)
