"""The API's problem documents (RFC 9457), and what has none: no answer, or one that is not regcred's."""

from dataclasses import dataclass, field
from typing import Any

import httpx2

UNAUTHENTICATED = 401
NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong value of a body: where (JSON pointer, RFC 6901), and a sentence."""

    pointer: str
    detail: str


@dataclass(eq=False)
class ApiProblem(Exception):
    """`code` is what pages decide by. `users` are who keeps a credential from being removed."""

    status: int
    code: str
    detail: str
    errors: list[FieldError] = field(default_factory=list)
    users: list[dict[str, Any]] = field(default_factory=list)
    retry_after: int | None = None

    @property
    def no_such_route(self) -> bool:
        """The API does not know the route; what is not there in an account has another code."""
        return self.status in {NOT_FOUND, 405} and self.code in {"not_found", "method_not_allowed"}


def of_response(response: httpx2.Response) -> ApiProblem:
    """The problem that an answer without success is."""
    try:
        document = response.json()
    except ValueError:
        document = None
    if not isinstance(document, dict) or "code" not in document:
        return ApiProblem(502, "unexpected_answer", "What answers at the address of the API is not regcred.")
    retry_after = response.headers.get("Retry-After", "")
    return ApiProblem(
        status=response.status_code,
        code=str(document["code"]),
        detail=str(document.get("detail") or ""),
        errors=[
            FieldError(str(error.get("pointer") or ""), str(error.get("detail") or error.get("code")))
            for error in _objects(document.get("errors"))
        ],
        users=_objects(document.get("users")),
        retry_after=int(retry_after) if retry_after.isdecimal() else None,
    )


def no_answer() -> ApiProblem:
    return ApiProblem(502, "no_answer", "The API does not answer. Nothing was done.")


def lost() -> ApiProblem:
    return ApiProblem(
        502, "answer_lost", "The answer of the API never came. It may have been done: look first."
    )


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
