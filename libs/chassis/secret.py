"""A value that will not print, pickle, copy into JSON or compare by accident.

Every secret in the process is one of these from the moment it is read until `reveal()` hands it to the
one call that needs it (`docs/http.md`, "Secrets").
"""

import hmac
from typing import NoReturn

REDACTED = "[secret]"


class Secret:
    """A text that is only ever seen through `reveal()`.

    It has no `__iter__`, `__len__` or `__str__` that tells anything; formatting, logging and `repr` give
    `[secret]`, pickling and JSON encoding raise `TypeError`.
    """

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """The text itself. Call it as late as possible, and pass the result straight on."""
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

    # A hash is a one-way form of the value that would end up in dict dumps and profilers.
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
    # JSON can hold half of a surrogate pair; the strict encoder's error would carry the whole text.
    return text.encode("utf-8", "surrogatepass")
