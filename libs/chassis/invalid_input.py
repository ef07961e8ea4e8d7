"""Errors of input values.

Exception
└── InvalidInput      one or more invalid values, each a `FieldProblem`

Details are sentences for the author of the input. They say which value is expected. They do not repeat the
value that was sent, because it may be a secret in the wrong field.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One invalid value: a JSON pointer into the request (RFC 6901), a stable code, and a sentence."""

    pointer: str
    code: str
    detail: str


class InvalidInput(Exception):
    """The input is refused. `problems` lists every invalid value."""

    def __init__(self, problems: tuple[FieldProblem, ...]) -> None:
        super().__init__("; ".join(f"{problem.pointer}: {problem.detail}" for problem in problems))
        self.problems = problems
