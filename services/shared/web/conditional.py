"""ETag and If-Match (RFC 9110 sections 8.8.3 and 13.1.1), and positions in the log."""

import re
from uuid import UUID

from flask import request

from shared.web.problems import Problem

_STRONG = re.compile(r'"([0-9]{1,18})"')
_POSITION = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}):([0-9]{1,18})")


def etag(version: int) -> str:
    """The entity tag of an aggregate at a version."""
    return f'"{version}"'


def expected_version() -> int | None:
    """The version of `If-Match`; `None` for `*`, which means whichever it is.

    Raises:
        Problem: 428 without the header, 412 where it cannot match any version.
    """
    header = request.headers.get("If-Match", "").strip()
    if not header:
        raise Problem(428, "if_match_required", "send If-Match with the ETag that the change is based on")
    if header == "*":
        return None
    match = _STRONG.fullmatch(header)
    if match is None:
        raise Problem(412, "stale_version", "If-Match must hold one strong ETag as this API gave it")
    return int(match[1])


def position_token(credential_id: UUID, version: int) -> str:
    """`Regcred-Position`: opaque to callers. It names the event; its place is known later."""
    return f"{credential_id}:{version}"


def read_position_token(text: str) -> tuple[UUID, int]:
    """The stream and version of a `Regcred-Wait-For`.

    Raises:
        Problem: 400 where it is not one that this API gave.
    """
    match = _POSITION.fullmatch(text)
    if match is None:
        raise Problem(400, "invalid_position", "Regcred-Wait-For must hold a Regcred-Position of this API")
    return UUID(match[1]), int(match[2])
