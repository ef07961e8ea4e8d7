"""W3C Trace Context: the header that says of which trace a request is a part. Pure."""

import re

_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")


def valid_traceparent(text: str | None) -> str | None:
    """The header as it came, `None` for one that means nothing (ids of zeros are invalid by the standard)."""
    found = _TRACEPARENT.fullmatch(text or "")
    if found is None or not int(found[1], 16) or not int(found[2], 16):
        return None
    return text


def trace_id_of(traceparent: str | None) -> str | None:
    """The id of its trace, 32 hexadecimal digits."""
    return traceparent.split("-")[1] if traceparent else None
