"""Structured logs: one JSON object per line on standard error, or a readable line on a terminal.

Libraries (waitress, pika, httpx2, urllib3, psycopg, …) log from `warning` on, at any configured level. Below
it they log addresses with query strings, headers and complete messages. Query strings, and users and
passwords in addresses, are removed from their messages and from the text of every exception.
"""

import logging
import os
import re
import sys
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from typing import Any

import msgspec
import structlog

from chassis.settings.invalid_setting import InvalidSetting

LEVEL = "REGCRED_LOG_LEVEL"
_LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_QUERY = re.compile(r"\?[^\s'\"<>]+")
_USER_INFO = re.compile(r"://[^/\s'\"@]+@")


class _LineLogger(structlog.WriteLogger):
    """Drops a line if standard error fails (full disk, closed pipe). The caller continues."""

    def msg(self, message: str) -> None:
        with suppress(OSError, ValueError):  # a ValueError: the file is closed
            super().msg(message)

    log = debug = info = warn = warning = msg
    fatal = failure = err = error = critical = exception = msg


def configure_logs(service: str, environment: Mapping[str, str] = os.environ) -> None:
    """Configure the logs of a process. Call it once. Raises `InvalidSetting` for an unknown level."""
    name = (environment.get(LEVEL) or "info").lower()
    if name not in _LEVELS:
        raise InvalidSetting(LEVEL, f"{name!r} is not one of {', '.join(_LEVELS)}")

    def name_service(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {"service": service, **event}  # not a context variable: threads would not inherit it

    # `sys.stderr` is `None` in a process that was started without standard error.
    lines = _LineLogger(sys.stderr) if sys.stderr else structlog.ReturnLogger()
    structlog.configure(
        processors=[
            name_service,
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _redact_exception,
            _renderer(),
        ],
        logger_factory=lambda *_names: lines,
        wrapper_class=structlog.make_filtering_bound_logger(_LEVELS[name]),
    )
    logging.basicConfig(handlers=[_ThroughStructlog(logging.WARNING)], level=logging.WARNING, force=True)
    # It logs a stack trace for each failed connection. Its callers log the reason.
    logging.getLogger("pika.adapters").setLevel(logging.CRITICAL)


def redacted(text: str) -> str:
    """The text without query strings and without users and passwords in addresses."""
    return _USER_INFO.sub("://…@", _QUERY.sub("?…", text))


def _redact_exception(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    if "exception" in event:
        event["exception"] = redacted(event["exception"])
    return event


def _renderer() -> Any:
    if sys.stderr and sys.stderr.isatty():
        return structlog.dev.ConsoleRenderer()
    return structlog.processors.JSONRenderer(serializer=_json)


def _json(event: object, **_settings: object) -> str:
    return msgspec.json.encode(event, enc_hook=repr).decode()


class _ThroughStructlog(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        log = structlog.get_logger()
        text = redacted(record.getMessage())
        log.log(record.levelno, text, logger=record.name, exc_info=record.exc_info)
