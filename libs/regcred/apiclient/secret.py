"""A token or password in this process."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Revealable(Protocol):
    """A secret value. The secret type of the services implements this protocol too."""

    def reveal(self) -> str: ...


class Secret:
    """A text that only `reveal()` returns. It is printed and formatted as `[secret]`."""

    __slots__ = ("__value",)

    def __init__(self, value: str) -> None:
        self.__value = value

    def reveal(self) -> str:
        """Return the text. Call it as late as possible."""
        return self.__value

    def __repr__(self) -> str:
        return "[secret]"

    def __reduce__(self) -> str:
        raise TypeError("a Secret is never serialised")
