"""Errors of clients of the API.

    ClientError
    ├── ConfigurationError    no token, or an address that cannot be one
    └── ApiError              a request failed
        ├── NoAnswer          nobody answers at the address; nothing was done
        ├── AnswerLost        the request was sent, the answer never came: it may have been done
        ├── UnexpectedAnswer  something answers that is not regcred
        └── ApiProblem        regcred answered with a problem document (RFC 9457)

A message is written for the person at a terminal. None of them quotes a secret, or the body of an answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any


class ClientError(Exception):
    """The message says what is wrong and, where that is known, what to do."""


class ConfigurationError(ClientError):
    pass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One wrong value of a request's body. `pointer` is a JSON pointer (RFC 6901)."""

    pointer: str
    detail: str


class ApiError(ClientError):
    """Programs decide by `status` and `code`; `detail` is a sentence for a page.

    `errors` are wrong values of the body, `users` the workloads that use a credential, `retry_after` is in
    seconds.
    """

    status: int = HTTPStatus.BAD_GATEWAY
    code: str = ""
    detail: str = ""
    errors: tuple[FieldError, ...] = ()
    users: tuple[dict[str, Any], ...] = ()
    retry_after: int | None = None

    @property
    def no_such_route(self) -> bool:
        """Whether the API does not know the route; what an account does not have is another code."""
        return self.code in {"not_found", "method_not_allowed"} and self.status in {
            HTTPStatus.NOT_FOUND,
            HTTPStatus.METHOD_NOT_ALLOWED,
        }


class NoAnswer(ApiError):
    code = "no_answer"
    detail = "The API does not answer. Nothing was done."


class AnswerLost(ApiError):
    code = "answer_lost"
    detail = "The API did not answer. The request may have been carried out: check before you repeat it."


class UnexpectedAnswer(ApiError):
    code = "unexpected_answer"
    detail = "The answer at the address of the API is not from regcred."


class ApiProblem(ApiError):
    """A problem document. `document` is all of it."""

    def __init__(self, status: int, document: Mapping[str, Any], *, retry_after: int | None = None) -> None:
        self.status = status
        self.code = str(document.get("code") or status)
        self.detail = str(document.get("detail") or document.get("title") or "")
        self.errors = tuple(
            FieldError(str(error.get("pointer") or ""), str(error.get("detail") or error.get("code")))
            for error in _objects(document.get("errors"))
        )
        self.users = tuple(_objects(document.get("users")))
        self.retry_after = retry_after
        self.document = document
        super().__init__(f"{self.code}: {self.detail}")


def _objects(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
