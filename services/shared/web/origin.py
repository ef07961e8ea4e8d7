"""Who asks, from where and for whom: what stands in the metadata of every event that a request causes."""

import re

from flask import g, request

from shared.events.envelope import Actor
from shared.web.door import principal
from shared.web.problems import Problem

_ON_BEHALF_OF = re.compile(r"[\x20-\x7e]{1,255}")


def actor() -> Actor:
    who = principal()
    return Actor(type="service", id=who.id, name=who.name)


def on_behalf_of() -> str | None:
    """The person for whom a service asks, as that service knows them; it stands in the audit trail."""
    text = request.headers.get("Regcred-On-Behalf-Of")
    if text is None:
        return None
    if not _ON_BEHALF_OF.fullmatch(text):
        raise Problem(400, "invalid_on_behalf_of", "1 to 255 printable ASCII characters")
    return text


def request_id() -> str:
    found: str = g.request_id
    return found


def traceparent() -> str | None:
    found: str | None = g.get("traceparent")
    return found
