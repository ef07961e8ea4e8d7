"""The result of a check: a sentence that describes the state, and a remedy. Neither contains a secret."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal

Result = Literal["ok", "warning", "failed"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check, such as `vault.policy`. Without a problem `remedy` is `None`."""

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


def guarded(check: str, examine: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """Yield the findings of a check. An exception becomes a finding, so that the other checks continue.

    The finding has only the type of the exception, because messages of libraries may quote their input.
    """
    try:
        yield from examine()
    except Exception as error:
        yield failed(
            check,
            f"the check failed with {type(error).__name__}",
            "fix the other findings first; if this one remains, report it with this name",
        )
