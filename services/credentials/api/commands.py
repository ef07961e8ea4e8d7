"""What surrounds a command, from the HTTP request that asks for it: who, when, for whom, under which key."""

import re
from collections.abc import Callable

from flask import request

from credentials.application.requests import CommandRequest, RequestKey
from shared.runtime.clock import now
from shared.web.origin import actor, on_behalf_of, request_id, traceparent
from shared.web.problems import Problem

Fingerprint = Callable[[bytes], bytes]  # keyed, 32 bytes

_KEY = re.compile(r"[\x21-\x7e]{1,255}")


def command_request(account_id: str, fingerprint: Fingerprint | None = None) -> CommandRequest:
    """What surrounds the command; with `fingerprint`, a POST that may be repeated under its key."""
    return CommandRequest(
        account_id=account_id,
        actor=actor(),
        now=now(),
        request_id=request_id(),
        on_behalf_of=on_behalf_of(),
        source_ip=request.remote_addr,
        traceparent=traceparent(),
        key=_key(fingerprint) if fingerprint else None,
    )


def idempotency_key() -> str | None:
    """The `Idempotency-Key` of this request. Raises `Problem` for one that is none."""
    key = request.headers.get("Idempotency-Key")
    if key is not None and not _KEY.fullmatch(key):
        raise Problem(400, "invalid_idempotency_key", "1 to 255 printable ASCII characters")
    return key


def _key(fingerprint: Fingerprint) -> RequestKey | None:
    key = idempotency_key()
    if key is None:
        return None
    asked = b"\0".join((request.method.encode(), request.path.encode(), request.get_data(cache=True)))
    return RequestKey(key=key, fingerprint=fingerprint(asked))
