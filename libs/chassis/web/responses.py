"""JSON responses: times in RFC 3339 with `Z`, ids as text."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from flask import Response

from chassis.runtime.clock import rfc3339


def json_response(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A response of this API."""
    return Response(
        _ENCODE(body),
        status=status,
        headers=dict(headers) if headers else None,
        content_type="application/json",
    )


def empty_response(headers: Mapping[str, str] | None = None) -> Response:
    """A response 204 without a body and without a content type."""
    response = Response(status=204, headers=dict(headers or {}))
    del response.headers["Content-Type"]
    return response


def etag(version: int) -> str:
    """The entity tag (RFC 9110 section 8.8.3) of an aggregate at a version."""
    return f'"{version}"'


def position_token(stream_id: UUID, version: int) -> str:
    """The value of `Regcred-Position`, which is opaque to callers.

    It names an event by stream and version, because the position in the log is assigned after the commit.
    """
    return f"{stream_id}:{version}"


def plain(value: object) -> str:
    """The JSON form of a time or an id."""
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


_ENCODE = msgspec.json.Encoder().encode  # ids, times and members of enumerations as `plain` writes them
