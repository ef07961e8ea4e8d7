"""The answer of a command as a response."""

from flask import Response

from credentials.application.credentials import Answer
from shared.web.responses import command_headers, json_response


def respond(answer: Answer, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    replayed = {"Idempotency-Replayed": "true"} if answer.replayed else {}
    return json_response(
        answer.body,
        status,
        {**command_headers(answer.credential_id, answer.version), **replayed, **(headers or {})},
    )
