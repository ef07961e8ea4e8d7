"""A text that cannot be printed, pickled, encoded as JSON or compared by accident.

A process holds each secret in this class from the time it is read until `reveal()` passes it to the call that
needs it (`docs/http.md`, "Secrets").
"""

import hmac
from typing import NoReturn

REDACTED = "[secret]"


class Secret:
    """A text that only `reveal()` returns.

    It has no `__iter__` and no `__len__`. `str`, formatting, logging and `repr` give `[secret]`. Pickling and
    JSON encoding raise `TypeError`.
    """

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """The text. Call it as late as possible, and do not store the result."""
        return self.__value

    def __repr__(self) -> str:
        return REDACTED

    __str__ = __repr__

    def __format__(self, format_spec: str) -> str:
        return REDACTED

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_bytes(self.__value), _bytes(other.__value))

    # A hash is a one-way form of the value that would appear in dumps of dictionaries and in profilers.
    __hash__ = None  # type: ignore[assignment]

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is never serialised")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret is never serialised")

    def __copy__(self) -> "Secret":
        return self

    def __deepcopy__(self, memo: object) -> "Secret":
        return self


def _bytes(text: str) -> bytes:
    # JSON can contain half of a surrogate pair. The error of the strict encoder would contain the whole text.
    return text.encode("utf-8", "surrogatepass")
