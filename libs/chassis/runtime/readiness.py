"""Whether a process is ready: what it needs is there (`docs/http.md`, "Health")."""

from collections.abc import Callable, Collection, Mapping
from http import HTTPStatus
from typing import Any

import structlog

from chassis.runtime.unavailable import Unavailable

log = structlog.get_logger()

Check = Callable[[], None]  # raises an exception if its dependency is unavailable


def starting() -> None:
    """A check that fails until the process has replaced it by one of what it has opened."""
    raise RuntimeError("the process still starts")


def readiness(
    checks: Mapping[str, Check], *, exclude: Collection[str] = ()
) -> tuple[HTTPStatus, dict[str, Any]]:
    """Make these checks, except those in `exclude`. Returns the status and the document of the response."""
    state: dict[str, str] = {}
    reasons: dict[str, str] = {}
    for name, check in list(checks.items()):  # a process that starts still adds checks
        if name in exclude:
            continue
        try:
            check()
            state[name] = "ok"
        except Exception as error:
            state[name], sentence = "unavailable", None
            if isinstance(error, Unavailable):
                sentence = str(error)
                if error.code != Unavailable.code:
                    reasons[name] = error.code
            log.warning("not_ready", check=name, error=type(error).__name__, reason=sentence)
    ready = all(value == "ok" for value in state.values())
    status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
    return status, {"ready": ready, "checks": state} | ({"reasons": reasons} if reasons else {})
