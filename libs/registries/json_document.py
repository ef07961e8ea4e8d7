"""JSON documents that people paste into a form: registry clients' files, read within limits.

They come as an object, as its text, or as the text's base64, which is how Kubernetes shows a Secret's data.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable
from typing import Any

MAX_BYTES = 256 * 1024  # a Kubernetes Secret holds 1 MiB; no registry client's file comes near this
MAX_DEPTH = 12
MAX_VALUES = 10_000

_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


class UnreadableDocument(ValueError):
    """`code` is `invalid_type`, `too_large` or `malformed`; `detail` repeats nothing of the document."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def read_object(value: object, *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """The JSON object that `value` is, or is the text of.

    Raises:
        UnreadableDocument: it is none, or too large (`max_bytes` of text), or too deep.
    """
    document = _from_text(value, max_bytes) if isinstance(value, str) else value
    if not isinstance(document, dict):
        raise UnreadableDocument("invalid_type", "a JSON object is expected")
    _check_limits(document, max_bytes)
    return document


def decode_base64(text: str) -> bytes | None:
    """Standard base64, with or without its padding; line breaks are skipped. `None` where it is none.

    The URL-safe alphabet is none, neither for Docker nor for Kubernetes.
    """
    compact = text.replace("\r", "").replace("\n", "")
    if not _BASE64.fullmatch(compact) or (compact.endswith("=") and len(compact) % 4):
        return None
    compact = compact.rstrip("=")
    try:
        return base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True)
    except binascii.Error:
        return None


def _from_text(text: str, max_bytes: int) -> object:
    if len(text) > max_bytes * 4 // 3 + 4:
        raise UnreadableDocument("too_large", f"at most {max_bytes} bytes are read")
    stripped = text.strip().removeprefix("\ufeff")
    if not stripped.startswith("{") and (decoded := decode_base64(stripped)) is not None:
        try:
            stripped = decoded.decode()
        except UnicodeDecodeError:
            raise UnreadableDocument("malformed", "this is no JSON text") from None
    try:
        return json.loads(stripped, object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError):
        # The parser's own message would quote the place in the text, next to the secrets.
        raise UnreadableDocument("malformed", "this is no JSON text, or a key stands in it twice") from None


def _unique_keys(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Two values under one key: programs differ on which one counts, so neither does."""
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise ValueError("duplicate key")
        members[key] = value
    return members


def _check_limits(document: object, max_bytes: int) -> None:
    """Walk without recursion; what is counted is the characters of the texts and keys."""
    size = values = 0
    level = [document]
    for _ in range(MAX_DEPTH):
        below: list[object] = []
        for value in level:
            values += 1
            if isinstance(value, str):
                size += len(value)
            elif isinstance(value, dict):
                size += sum(len(key) for key in value if isinstance(key, str))
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
        if size > max_bytes or values + len(below) > MAX_VALUES:
            raise UnreadableDocument("too_large", f"at most {max_bytes} bytes are read")
        if not below:
            return
        level = below
    raise UnreadableDocument("malformed", f"objects and lists are at most {MAX_DEPTH} deep")
