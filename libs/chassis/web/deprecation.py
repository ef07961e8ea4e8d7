"""The fields `Deprecation` (RFC 9745) and `Sunset` (RFC 8594) of responses.

A response has them if its request used something that will go away. `docs/upgrading.md`, "Deprecations",
has the rules. A deprecated field of a request has an entry in `DEPRECATIONS`, and its route calls `used` when
a request has the field.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from flask import Flask, Response, g
from werkzeug.http import http_date

_USED = "deprecations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deprecation:
    """Something that goes away at `sunset` or later. `since`: from when on it is deprecated."""

    since: datetime
    sunset: datetime


# By schema and field, as the OpenAPI document has them.
DEPRECATIONS = {
    "ImportInput.dry_run": Deprecation(
        since=datetime(2026, 12, 1, tzinfo=UTC), sunset=datetime(2027, 12, 1, tzinfo=UTC)
    ),
}


def used(name: str) -> None:
    """Say in the response that this request uses something deprecated. Raises `KeyError` if it is not."""
    found: list[Deprecation] = g.setdefault(_USED, [])
    found.append(DEPRECATIONS[name])


def install(app: Flask) -> None:
    """Add the fields to responses, also to refusals. Of several, the earliest times are sent."""

    @app.after_request
    def _describe(response: Response) -> Response:
        found: list[Deprecation] = g.get(_USED, [])
        if found:
            since = min(each.since for each in found)
            response.headers["Deprecation"] = f"@{int(since.timestamp())}"
            response.headers["Sunset"] = http_date(min(each.sunset for each in found))
        return response
