"""The only place that makes ids out of nothing."""

import random  # noqa: TID251 this is the place that the rule points to
import uuid


def new_request_id() -> str:
    """A random id of a request, a UUID in text. It is no secret and decides nothing: unlike `new_id` it asks
    the system for no randomness, where other threads would take their turn.
    """
    return str(uuid.UUID(int=random.getrandbits(128), version=4))


def new_id() -> uuid.UUID:
    """A random id (UUID version 4, RFC 9562)."""
    return uuid.uuid4()  # noqa: TID251 this is the place that the rule points to
