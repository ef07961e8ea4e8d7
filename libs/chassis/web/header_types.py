"""The headers of requests and responses, for the OpenAPI document. `docs/http.md` has the rules."""

from typing import Any, NamedTuple


class HeaderType(NamedTuple):
    """The meaning of a header, and the schema and an example of its value."""

    meaning: str
    schema: dict[str, Any]
    example: str | int
    required: bool = False


_TEXT = {"type": "string"}
_SECONDS = {"type": "integer", "minimum": 0}
_KEY = {"type": "string", "pattern": "^[!-~]{1,255}$"}
_POSITION = {"type": "string", "pattern": "^[0-9a-f-]{36}:[0-9]{1,18}$"}
_EXAMPLE_POSITION = "0199d3c2-7a10-7c3e-9d54-3f2b8a6c1e01:3"

REQUEST_HEADERS = {
    "If-Match": HeaderType(
        "The `ETag` that the change is based on, or `*` for any version (RFC 9110).",
        {"type": "string", "pattern": '^(\\*|"[0-9]{1,18}")$'},
        '"3"',
        required=True,
    ),
    "Idempotency-Key": HeaderType(
        "The same request under the same key has no second effect, and gets the first response, for a day.",
        _KEY,
        "7f3c1e0a-add-team-ghcr",
    ),
    "Prefer": HeaderType(
        "`wait=N`: wait up to N seconds (30 at most) for the result (RFC 7240).", _TEXT, "wait=10"
    ),
    "Regcred-Wait-For": HeaderType(
        "The `Regcred-Position` of a command, whose effect the response must include. It is waited for "
        "two seconds.",
        _POSITION,
        _EXAMPLE_POSITION,
    ),
    "Regcred-On-Behalf-Of": HeaderType(
        "The person for whom a service acts. It is recorded as the caller claims it.",
        {"type": "string", "pattern": "^[ -~]{1,255}$"},
        "jo@example.com",
    ),
}

RESPONSE_HEADERS = {
    "ETag": HeaderType("The version of the credential, for `If-Match`.", _TEXT, '"4"'),
    "Regcred-Position": HeaderType(
        "The event that the command wrote, for `Regcred-Wait-For`.", _POSITION, _EXAMPLE_POSITION
    ),
    "Deprecation": HeaderType(
        "Since when something that the request uses is deprecated (RFC 9745); otherwise not sent.",
        {"type": "string", "pattern": "^@[0-9]+$"},
        "@1796083200",
    ),
    "Sunset": HeaderType(
        "The earliest time at which that goes away (RFC 8594). Only sent with `Deprecation`.",
        _TEXT,
        "Wed, 01 Dec 2027 00:00:00 GMT",
    ),
    "Idempotency-Replayed": HeaderType(
        "Present if the response is that of an earlier request under the same `Idempotency-Key`.",
        {"type": "string", "enum": ["true"]},
        "true",
    ),
    "Preference-Applied": HeaderType("The preference of `Prefer` that was applied.", _TEXT, "wait=10"),
    "Location": HeaderType(
        "The path of the new resource.",
        {"type": "string", "format": "uri-reference"},
        "/v1/accounts/acme/credentials/0199d3c2-7a10-7c3e-9d54-3f2b8a6c1e01",
    ),
    "Regcred-Audit-Sealed": HeaderType(
        "The archived part of the requested rows, which the response lacks.",
        _TEXT,
        "up_to=41200, count=1, segments=000000000001-000000041200",
    ),
    "Content-Disposition": HeaderType("The name of the file.", _TEXT, 'attachment; filename="audit.csv"'),
    "Retry-After": HeaderType("The seconds after which the request may be repeated.", _SECONDS, 5),
    "WWW-Authenticate": HeaderType("The scheme of the authentication.", _TEXT, 'Bearer realm="regcred"'),
    "RateLimit": HeaderType(
        "What is left of the limits that applied: `r` units, and `t` seconds until a limit is full again.",
        _TEXT,
        '"requests";r=118;t=1',
    ),
    "RateLimit-Policy": HeaderType(
        "The limits that applied: `q` units in `w` seconds.", _TEXT, '"requests";q=120;w=1'
    ),
    "X-Request-Id": HeaderType(
        "The id of the request, which logs and audit trail have, too.",
        _TEXT,
        "0199d3c2-7a10-7c3e-9d54-3f2b8a6c1e02",
    ),
}
# Headers of every response, and of every response with one of these statuses.
EVERY_RESPONSE = ("X-Request-Id", "RateLimit", "RateLimit-Policy")
OF_STATUS = {
    401: ("WWW-Authenticate",),
    409: ("Retry-After",),
    412: ("ETag",),
    429: ("Retry-After",),
    502: ("Retry-After",),
    503: ("Retry-After",),
}
