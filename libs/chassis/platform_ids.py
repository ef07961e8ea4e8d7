"""The ids of accounts and projects, which the platform gives."""

import re

# Narrower than what Vault takes in a path: no slash, dot or percent sign can come in by an account's id.
_PLATFORM_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,62}")


def is_platform_id(text: str) -> bool:
    """Whether an account or project may be called so."""
    return _PLATFORM_ID.fullmatch(text) is not None
