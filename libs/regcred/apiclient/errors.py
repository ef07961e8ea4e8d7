"""Errors of clients of the API.

    ClientError
    ├── ConfigurationError      no token, or an invalid address
    └── ApiError                a request failed
        ├── NotConnected        there is no connection; nothing was sent
        ├── ResponseLost        the request was sent and may have been carried out; there was no response
        ├── UnexpectedResponse  the response is not from regcred
        └── ApiProblem          regcred responded with a problem document (RFC 9457)

Messages are for the user at a terminal. No message quotes a secret or the body of a response.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any


class ClientError(Exception):
    """Base of the errors. The message says what is wrong and, if known, what to do."""


class ConfigurationError(ClientError):
    pass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One invalid value in the body of a request. `pointer` is a JSON pointer (RFC 6901)."""

    pointer: str
    detail: str


class ApiError(ClientError):
    """A failed request. Programs decide by `status` and `code`; `detail` is a sentence for users.

    `errors` are the invalid values of the body, `users` the workloads that use a credential. `retry_after` is
    in seconds.
    """

    status: int = HTTPStatus.BAD_GATEWAY
    code: str = ""
    detail: str = ""
    errors: tuple[FieldError, ...] = ()
    users: tuple[dict[str, Any], ...] = ()
    retry_after: int | None = None

    @property
    def no_such_route(self) -> bool:
        """Whether the API does not know the route. A missing object of an account has another code."""
        return self.code in {"not_found", "method_not_allowed"} and self.status in {
            HTTPStatus.NOT_FOUND,
            HTTPStatus.METHOD_NOT_ALLOWED,
        }


class NotConnected(ApiError):
    code = "no_answer"
    detail = "The API cannot be reached. Nothing was done."


class ResponseLost(ApiError):
    code = "answer_lost"
    detail = "The API did not respond. The request may have been carried out: check before you repeat it."


class UnexpectedResponse(ApiError):
    code = "unexpected_answer"
    detail = "The response from the address of the API is not from regcred."


class ApiProblem(ApiError):
    """A problem document of the API. `document` is the complete document."""

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
