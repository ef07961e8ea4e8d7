"""The workload in the body of a request."""

import re
from collections.abc import Mapping

from chassis.invalid_input import FieldProblem
from contracts.issuance_events import Workload

_KIND = re.compile(r"[A-Za-z][A-Za-z0-9._-]{0,62}")
_MAX_NAME = 253


def requested_workload(workload: Mapping[str, str]) -> tuple[Workload, list[FieldProblem]]:
    """Return the workload, and what is wrong with it."""
    kind, name, problems = workload["kind"], workload["name"], []
    if not _KIND.fullmatch(kind):
        detail = "a letter, then up to 62 letters, digits, dots, hyphens or underscores"
        problems.append(FieldProblem("/workload/kind", "invalid_workload", detail))
    if not 0 < len(name) <= _MAX_NAME or not name.isprintable() or name != name.strip():
        detail = f"1 to {_MAX_NAME} characters of one line, without leading or trailing spaces"
        problems.append(FieldProblem("/workload/name", "invalid_workload", detail))
    return Workload(kind=kind.lower(), name=name), problems  # `Deployment/web` is `deployment/web`
