"""The form of the ids of accounts and projects, which the platform assigns."""

import re

# Narrower than the paths that Vault accepts: an id can contain no slash, dot or percent sign.
_PLATFORM_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")


def is_platform_id(text: str) -> bool:
    """Whether a text can be the id of an account or of a project."""
    return _PLATFORM_ID.fullmatch(text) is not None
