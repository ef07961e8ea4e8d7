"""Lines reach the file at once, or gathered; always all of them, and in order."""

import errno
import io
import subprocess
import sys
from threading import Thread

import pytest

from shared.runtime.log_lines import LogLines
from tests.support.timing import waiting


class CountedWrites(io.StringIO):
    def __init__(self) -> None:
        super().__init__()
        self.writes: list[str] = []

    def write(self, text: str) -> int:
        self.writes.append(text)
        return super().write(text)


@pytest.fixture
def file() -> CountedWrites:
    return CountedWrites()


def test_each_line_at_once(file: CountedWrites) -> None:
    lines = LogLines(file)
    lines.info("one")
    lines.warning("two")
    assert file.writes == ["one\n", "two\n"]


def test_what_comes_together_is_written_together(file: CountedWrites) -> None:
    lines = LogLines(file)
    lines.gather()
    lines.gather()  # no second thread
    for number in range(100):
        lines.info(str(number))
    waiting(lambda: file.getvalue().endswith("99\n"))
    assert file.getvalue().split() == [str(number) for number in range(100)]
    assert len(file.writes) < 50


@pytest.mark.parametrize("level", ["warning", "error", "critical", "exception"])
def test_a_warning_is_there_when_it_is_said_and_all_before_it(file: CountedWrites, level: str) -> None:
    lines = LogLines(file)
    lines.gather()
    lines.info("before")
    getattr(lines, level)("worse")
    assert file.getvalue() == "before\nworse\n"


def test_a_file_that_takes_nothing_for_a_while_costs_those_lines_only(
    file: CountedWrites, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else every later line would wait for ever, and take memory."""
    lines = LogLines(file)
    lines.gather()
    refused: list[str] = []

    def full(text: str) -> int:
        refused.append(text)
        raise OSError(errno.ENOSPC, "no space left")

    with monkeypatch.context() as patched:
        patched.setattr(file, "write", full)
        lines.info("lost")
        waiting(lambda: refused)
    lines.info("kept")
    waiting(lambda: file.getvalue() == "kept\n")


def test_many_threads_lose_nothing_and_tear_no_line(file: CountedWrites) -> None:
    lines = LogLines(file)
    lines.gather()

    def work(name: int) -> None:
        for number in range(200):
            (lines.error if number % 50 == 0 else lines.info)(f"{name}-{number}")

    threads = [Thread(target=work, args=(name,)) for name in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    waiting(lambda: file.getvalue().count("\n") == 1200)
    found = file.getvalue().split()
    for name in range(6):
        of_one = [line for line in found if line.startswith(f"{name}-")]
        assert of_one == [f"{name}-{number}" for number in range(200)]


def test_a_process_that_ends_has_written_everything() -> None:
    program = (
        "import structlog; from shared.runtime.logs import configure_logs, gather_lines;"
        "configure_logs('test', {}); gather_lines(); structlog.get_logger().info('the last one')"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert '"event":"the last one"' in ended.stderr
