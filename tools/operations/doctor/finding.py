"""What one look came to. A sentence says what is so, a remedy what to do; neither ever holds a secret."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Result = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`check` names what was looked at: `vault.policy`. `remedy` is `None` where nothing is to be done."""

    check: str
    result: Result
    sentence: str
    remedy: str | None = None


def ok(check: str, sentence: str) -> Finding:
    return Finding(check, "ok", sentence)


def warning(check: str, sentence: str, remedy: str) -> Finding:
    return Finding(check, "warning", sentence, remedy)


def failed(check: str, sentence: str, remedy: str) -> Finding:
    return Finding(check, "failed", sentence, remedy)


def guarded(check: str, look: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """What a look finds; one that breaks off becomes a finding itself, so that the others go on.

    Only the kind of what went wrong is told: messages of libraries may quote what they were given.
    """
    try:
        yield from look()
    except Exception as error:
        yield failed(
            check,
            f"the look broke off with {type(error).__name__}",
            "see the other findings first; if it stays, report it with this name",
        )
