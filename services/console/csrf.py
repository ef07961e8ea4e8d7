"""CSRF tokens for forms (OWASP, Cross-Site Request Forgery Prevention).

The text of a token differs in every page, so that the size of compressed responses does not reveal it
(BREACH).
"""

import hmac
from collections.abc import MutableMapping
from hashlib import sha256
from secrets import token_hex
from typing import Any

FIELD = "csrf"
_KEY = "csrf"


def token(cookie: MutableMapping[str, Any]) -> str:
    """A CSRF token for a form of the browser with this signed cookie, which gets a key if it has none."""
    key = cookie.get(_KEY)
    if not isinstance(key, str):
        key = cookie[_KEY] = token_hex(32)
    nonce = token_hex(16)
    return f"{nonce}.{_mac(key, nonce)}"


def is_valid(cookie: MutableMapping[str, Any], text: str) -> bool:
    """Whether the text is a CSRF token of the browser with this cookie."""
    key = cookie.get(_KEY)
    nonce, _, mac = text.partition(".")
    return isinstance(key, str) and mac.isascii() and hmac.compare_digest(_mac(key, nonce), mac)


def _mac(key: str, nonce: str) -> str:
    return hmac.new(key.encode(), nonce.encode(), sha256).hexdigest()
