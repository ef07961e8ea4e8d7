"""Commands over HTTP: the request of a command (caller, account, version, key), and the response."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Response, request
from marshmallow import Schema

from chassis.runtime.clock import now
from chassis.secret import Secret
from chassis.web.authentication import on_behalf_of, principal, request_id, traceparent
from chassis.web.limits import current_limits
from chassis.web.problems import Problem
from chassis.web.responses import etag, json_response, position_token
from credentials.application.command_handler import CommandRequest, CommandResult, RequestKey
from eventlog.events import Actor

RequestFingerprint = Callable[[bytes], bytes]  # keyed, 32 bytes

_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_STRONG = re.compile(r'"([0-9]{1,18})"')


def command_request(
    account_id: str,
    request_fingerprint: RequestFingerprint | None = None,
    body: Mapping[str, Any] | None = None,
    *,
    dry_run: bool = False,
    force_reason: str | None = None,
) -> CommandRequest:
    """Return the request of the command.

    With `request_fingerprint`, it includes the Idempotency-Key of a POST. `body` is then what `meaning`
    returns: requests with the same meaning are the same request.

    Raises:
        LimitReached: the account has caused too many events.
    """
    caller = principal()
    limits = current_limits()
    if limits is not None:
        limits.admit_events(account_id)
    return CommandRequest(
        account_id=account_id,
        actor=Actor(type="service", id=caller.id, name=caller.name),
        now=now(),
        request_id=request_id(),
        on_behalf_of=on_behalf_of(),
        source_ip=request.remote_addr,
        traceparent=traceparent(),
        key=_key(request_fingerprint, body or {}) if request_fingerprint else None,
        dry_run=dry_run,
        force_reason=force_reason,
    )


def meaning(schema: type[Schema], body: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a parsed body that differ from their defaults.

    A field that is added in a later version is then no part of requests that do not use it.
    """
    defaults = {name: field.load_default for name, field in schema().fields.items()}
    return {
        name: value
        for name, value in body.items()
        if value != (default() if callable(default := defaults[name]) else default)
    }


def expected_version() -> int | None:
    """The version of `If-Match` (RFC 9110 section 13.1.1); `None` for `*`, which accepts any version.

    Raises:
        Problem: 428 without the header, 412 if it cannot match any version.
    """
    header = request.headers.get("If-Match", "").strip()
    if not header:
        raise Problem(428, "if_match_required", "send If-Match with the ETag that the change is based on")
    if header == "*":
        return None
    match = _STRONG.fullmatch(header)
    if match is None:
        raise Problem(412, "stale_version", "If-Match must have one strong ETag, as this API returned it")
    return int(match[1])


def idempotency_key() -> str | None:
    """Return the `Idempotency-Key` of this request. Raises `Problem` if it is invalid."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise Problem(400, "invalid_idempotency_key", "1 to 255 printable ASCII characters")
    return key


def respond(result: CommandResult, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return the response for the result of a command."""
    replayed = {"Idempotency-Replayed": "true"} if result.replayed else {}
    return json_response(
        result.body,
        status,
        {**result_headers(result), **replayed, **(headers or {})},
    )


def result_headers(result: CommandResult) -> dict[str, str]:
    """Return the headers of the response to a command on a credential."""
    return command_headers(result.credential_id, result.version, result.stream_version)


def command_headers(stream_id: UUID, version: int, stream_version: int) -> dict[str, str]:
    """Return the headers of the response to each command (`docs/http.md`, "Versions of a credential").

    The ETag has the version that changes are based on, `Regcred-Position` the last event of the command.
    """
    return {"ETag": etag(version), "Regcred-Position": position_token(stream_id, stream_version)}


def _key(request_fingerprint: RequestFingerprint, body: Mapping[str, Any]) -> RequestKey | None:
    key = idempotency_key()
    if key is None:
        return None
    route = (request.method.encode(), request.path.encode())
    meaning = json.dumps(body, sort_keys=True, separators=(",", ":"), default=_plain).encode()
    return RequestKey(
        key=key,
        fingerprint=request_fingerprint(b"\0".join((b"meaning", *route, meaning))),
        former_fingerprint=request_fingerprint(b"\0".join((*route, request.get_data(cache=True)))),
    )


def _plain(value: object) -> object:
    """A parsed value for the fingerprint, which is keyed and reveals nothing of it."""
    match value:
        case Secret():
            return value.reveal()
        case datetime():
            return value.isoformat()
        case UUID():
            return str(value)
        case _:
            raise TypeError(f"{type(value).__name__} has no form in JSON")
