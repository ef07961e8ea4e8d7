"""Input that cannot be accepted: what is wrong, and where.

Exception
└── InvalidInput      one or more wrong values, each a `FieldProblem`

Details are sentences for the person who sent the input. They say what is expected and never repeat the
value that was sent: it may be a secret in the wrong field.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldProblem:
    """One wrong value: where (JSON pointer into the request, RFC 6901), a stable code, and a sentence."""

    pointer: str
    code: str
    detail: str


class InvalidInput(Exception):
    """Nothing of the input is taken over; `problems` names every wrong value that was found."""

    def __init__(self, problems: tuple[FieldProblem, ...]) -> None:
        super().__init__("; ".join(f"{problem.pointer}: {problem.detail}" for problem in problems))
        self.problems = problems
