"""Random ids, and the form of the ids that the platform assigns to accounts and projects."""

import re
import uuid

# Narrower than what Vault accepts in a path: an id cannot bring in a slash, a dot or a percent sign.
_PLATFORM_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")


def new_id() -> uuid.UUID:
    """Return a random id (UUID version 4, RFC 9562). No other module generates one."""
    return uuid.uuid4()  # noqa: TID251 this is the function that the rule points to


def is_platform_id(text: str) -> bool:
    """Return whether the text is a valid id of an account or a project."""
    return _PLATFORM_ID.fullmatch(text) is not None
