"""Log lines: the level is REGCRED_LOG_LEVEL, libraries log warnings and errors, and URLs lose query and password."""

import errno
import io
import json
import logging
import sys

import pytest
import structlog

from chassis.observability.logs import configure_logs, redacted
from chassis.settings.environment import InvalidSetting

LIBRARIES = (
    "pika",
    "hvac",
    "httpx2",
    "httpcore2.http11",
    "urllib3.connectionpool",
    "psycopg",
    "psycopg.pool",
)


@pytest.fixture(autouse=True)
def _as_before() -> object:
    before = structlog.get_config()
    handlers, level = logging.root.handlers[:], logging.root.level
    yield
    structlog.configure(**before)
    logging.root.handlers[:] = handlers
    logging.root.setLevel(level)


def lines(capfd: pytest.CaptureFixture[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in capfd.readouterr().err.splitlines()]


def say_all() -> None:
    log = structlog.get_logger()
    for level in ("debug", "info", "warning", "error"):
        log.log(getattr(logging, level.upper()), level)


@pytest.mark.parametrize(
    ("level", "said"),
    [
        (None, ["info", "warning", "error"]),
        ("", ["info", "warning", "error"]),
        ("debug", ["debug", "info", "warning", "error"]),
        ("WARNING", ["warning", "error"]),
        ("error", ["error"]),
    ],
)
def test_the_level_selects_the_lines(
    level: str | None, said: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logs("test", {} if level is None else {"REGCRED_LOG_LEVEL": level})
    say_all()
    found = lines(capfd)
    assert [line["event"] for line in found] == said
    assert {line["service"] for line in found} == {"test"}


def test_an_unknown_level_is_refused() -> None:
    with pytest.raises(InvalidSetting, match="REGCRED_LOG_LEVEL: 'loud' is not one of debug, info"):
        configure_logs("test", {"REGCRED_LOG_LEVEL": "loud"})


@pytest.mark.parametrize("library", LIBRARIES)
def test_libraries_log_only_warnings_and_errors_even_at_level_debug(
    library: str, capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logs("test", {"REGCRED_LOG_LEVEL": "debug"})
    logger = logging.getLogger(library)
    logger.setLevel(logging.DEBUG)  # as if the level of that library had been set
    logger.debug("GET /token?password=canary-1")
    logger.info("HTTP Request: GET https://octo:canary-2@registry.example.com/v2/?account=canary-3")
    logger.warning("retrying https://octo:canary-4@registry.example.com/token?scope=canary-5 soon")
    logger.setLevel(logging.NOTSET)
    [line] = lines(capfd)
    assert line["event"] == "retrying https://…@registry.example.com/token?… soon"
    assert (line["logger"], line["level"]) == (library, "warning")


def test_a_failed_connection_to_the_broker_is_not_logged_a_second_time_with_a_stack_trace(
    capfd: pytest.CaptureFixture[str],
) -> None:
    configure_logs("test", {})
    logging.getLogger("pika.adapters.blocking_connection").error("Error in _create_connection().")
    assert capfd.readouterr().err == ""


def test_urls_in_the_text_of_an_exception_are_redacted(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logs("test", {})
    error = ConnectionError("amqp://regcred:canary-6@broker:5672/ refused; see /help?token=canary-7")
    structlog.get_logger().error("failed", exc_info=error)
    [line] = lines(capfd)
    assert "amqp://…@broker:5672/ refused; see /help?…" in str(line["exception"])


def test_text_without_a_url_is_not_redacted() -> None:
    text = "why? nobody knows: a@b.example, 12:30 // comment"
    assert redacted(text) == text


def test_lines_are_lost_only_while_the_disk_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    class Disk(io.StringIO):
        full = True

        def write(self, text: str) -> int:
            if self.full:
                raise OSError(errno.ENOSPC, "no space left")
            return super().write(text)

    disk = Disk()
    monkeypatch.setattr(sys, "stderr", disk)
    configure_logs("test", {})
    structlog.get_logger().info("lost")
    disk.full = False
    structlog.get_logger().info("written")
    assert [json.loads(line)["event"] for line in disk.getvalue().splitlines()] == ["written"]
