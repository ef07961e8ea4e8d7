"""A token in every form that changes something: it proves that the form is ours (OWASP, CSRF prevention).

Each page has another text of it, so that compressed answers tell nothing of it (BREACH).
"""

import hmac
from collections.abc import MutableMapping
from hashlib import sha256
from secrets import token_hex
from typing import Any

FIELD = "csrf"
_KEY = "csrf"


def token(cookie: MutableMapping[str, Any]) -> str:
    """A text for a form of the browser that holds this signed cookie, which gets a key if it has none."""
    key = cookie.get(_KEY)
    if not isinstance(key, str):
        key = cookie[_KEY] = token_hex(32)
    nonce = token_hex(16)
    return f"{nonce}.{_proof(key, nonce)}"


def is_ours(cookie: MutableMapping[str, Any], text: str) -> bool:
    """Whether the text was made for a form of this browser."""
    key = cookie.get(_KEY)
    nonce, _, proof = text.partition(".")
    return isinstance(key, str) and proof.isascii() and hmac.compare_digest(_proof(key, nonce), proof)


def _proof(key: str, nonce: str) -> str:
    return hmac.new(key.encode(), nonce.encode(), sha256).hexdigest()
