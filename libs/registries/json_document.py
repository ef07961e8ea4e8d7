"""Reads JSON documents that users send, such as configuration files of registry clients, within limits.

A document is an object, the text of one, or the base64 of that text, as Kubernetes shows the data of a
Secret.
"""

import base64
import binascii
import json
import re
from collections.abc import Iterable
from typing import Any

MAX_BYTES = 256 * 1024  # far more than the file of a registry client; a Kubernetes Secret may have 1 MiB
MAX_DEPTH = 12
MAX_VALUES = 10_000

_BASE64 = re.compile(r"[A-Za-z0-9+/]+={0,2}")


class UnreadableDocument(ValueError):
    """The document cannot be read.

    `code` is `invalid_type`, `too_large` or `malformed`. `detail` contains nothing of the document.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def read_object(value: object, *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """The JSON object in `value`, which is an object, its text, or the base64 of its text.

    Raises:
        UnreadableDocument: the value is not a JSON object, has more than `max_bytes` of text, or is nested
            too deeply.
    """
    document = _from_text(value, max_bytes) if isinstance(value, str) else value
    if not isinstance(document, dict):
        raise UnreadableDocument("invalid_type", "this must be a JSON object")
    _check_limits(document, max_bytes)
    return document


def decode_base64(text: str) -> bytes | None:
    """Decode standard base64, with or without padding; `None` if the text is not base64.

    Line breaks are ignored.

    The URL-safe alphabet is not accepted, as in Docker and Kubernetes.
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
        raise UnreadableDocument("too_large", f"the document may have at most {max_bytes} bytes")
    stripped = text.strip().removeprefix("\ufeff")
    if not stripped.startswith("{") and (decoded := decode_base64(stripped)) is not None:
        try:
            stripped = decoded.decode()
        except UnicodeDecodeError:
            raise UnreadableDocument("malformed", "this is not valid JSON") from None
    try:
        return json.loads(stripped, object_pairs_hook=_unique_keys)
    except (ValueError, RecursionError):
        # The message of the parser would quote a part of the text, which contains secrets.
        raise UnreadableDocument("malformed", "this is not valid JSON, or has a duplicate key") from None


def _unique_keys(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Refuse duplicate keys, because programs differ on which value they use."""
    members: dict[str, Any] = {}
    for key, value in pairs:
        if key in members:
            raise ValueError("duplicate key")
        members[key] = value
    return members


def _check_limits(document: object, max_bytes: int) -> None:
    """Check depth, number of values and total length of texts and keys, without recursion."""
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
            raise UnreadableDocument("too_large", f"the document may have at most {max_bytes} bytes")
        if not below:
            return
        level = below
    raise UnreadableDocument("malformed", f"objects and lists may be nested at most {MAX_DEPTH} deep")
