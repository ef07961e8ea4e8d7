"""Requests to the REST API, over any transport.

What may be repeated without harm is repeated when the answer is lost or regcred says 503: reads, and POSTs
with an idempotency key. A change with `If-Match` is sent once: repeated after a lost answer it could only be
refused as stale, which would be wrong about who changed what.
"""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from http import HTTPStatus
from time import monotonic, sleep
from types import TracebackType
from typing import Any

from regcred.apiclient.answer import ApiResponse, check, lines, read, unexpected
from regcred.apiclient.errors import AnswerLost, ApiError, ApiProblem, NoAnswer
from regcred.apiclient.secret import Revealable
from regcred.apiclient.transport import ApiRequest, Json, Parameters, Stream, Transport, build

PAGE = 200  # the API's largest `limit`
REPEAT_SECONDS = 12.0
_FIRST_PAUSE = 0.25


@dataclass(frozen=True, slots=True)
class Repeats:
    """For how many seconds a request is repeated; `notice` is called with a sentence at the first time."""

    notice: Callable[[str], None]
    seconds: float = REPEAT_SECONDS
    clock: Callable[[], float] = monotonic
    pause: Callable[[float], None] = sleep


class ApiClient(AbstractContextManager["ApiClient"]):
    """The API for one caller. Every method raises `ApiError`.

    Args:
        transport: closed with this client.
        token: shown with every request.
        on_behalf_of: for whom a service acts; it is recorded in the audit log.
        request_id: the id of every request; the API makes its own without one.
        wait_for: the log position that every read must include.
        on_command: called with the log position of each command that was done.
        repeats: without it, every request is sent once.
    """

    def __init__(
        self,
        transport: Transport,
        *,
        token: Revealable | None = None,
        user_agent: str = "regcred",
        on_behalf_of: str | None = None,
        request_id: str | None = None,
        wait_for: str | None = None,
        on_command: Callable[[str], None] | None = None,
        repeats: Repeats | None = None,
    ) -> None:
        self._transport = transport
        self._wait_for = wait_for
        self._on_command = on_command
        self._repeats = repeats
        self._headers = _present(
            {
                "Authorization": f"Bearer {token.reveal()}" if token is not None else None,
                "User-Agent": user_agent,
                "Regcred-On-Behalf-Of": on_behalf_of,
                "X-Request-Id": request_id,
            }
        )

    @property
    def address(self) -> str:
        """Where the API is, without a slash at the end."""
        return self._transport.address

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._transport.close()

    def get(
        self, path: str, parameters: Parameters | None = None, *, wait_for: str | None = None
    ) -> ApiResponse:
        """Read. `wait_for` is the position of a command whose effect must be seen."""
        headers = {"Regcred-Wait-For": wait_for or self._wait_for}
        return self._answer(self._request("GET", path, headers, parameters=parameters), repeat=True)

    def listing(self, path: str, parameters: Parameters, *, limit: int | None) -> Json:
        """A list as the API answers it, of at most `limit` items (`None`: all), however many pages that is.

        `next_cursor` is where the next page starts, `sealed` what a list of the audit log lacks.
        """
        items: list[Any] = []
        cursor = parameters.get("cursor")
        while True:
            size = PAGE if limit is None else min(PAGE, limit - len(items))
            page = self.get(path, {**parameters, "limit": size, "cursor": cursor}).body
            try:
                items.extend(page["items"])
                cursor = page["next_cursor"]
            except (TypeError, KeyError):
                raise unexpected(self.address, "a list") from None
            if not cursor or (limit is not None and len(items) >= limit):
                lacks = {"sealed": page["sealed"]} if "sealed" in page else {}
                return {"items": items, "next_cursor": cursor, **lacks}

    @contextmanager
    def stream(self, path: str, parameters: Parameters, *, accept: str) -> Iterator[Stream]:
        """A long answer as it comes in, of the media type `accept`. It is sent once."""
        request = self._request("GET", path, {"Accept": accept}, parameters=parameters)
        with self._transport.stream(request) as stream:
            reply = stream.reply
            if not reply.is_success:
                check(replace(reply, content=b"".join(stream.chunks)), self.address)
            if reply.media_type != accept:
                raise unexpected(self.address, accept)
            yield stream

    @contextmanager
    def lines(self, path: str, parameters: Parameters, *, accept: str) -> Iterator[Iterator[bytes]]:
        """As `stream`, line by line, each with its end of line."""
        with self.stream(path, parameters, accept=accept) as stream:
            yield lines(stream.chunks)

    def post(
        self,
        path: str,
        body: Json | None = None,
        *,
        key: str | None = None,
        prefer: str | None = None,
        on_behalf_of: str | None = None,
    ) -> ApiResponse:
        """A command that is done once, however often it is sent, by its idempotency key.

        `key`: a new one if `None`. `on_behalf_of`: for whom this one is done, in place of the client's.
        """
        # The services' one source of ids is not here: this package imports nothing of theirs.
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}  # noqa: TID251
        more = {"Prefer": prefer, "Regcred-On-Behalf-Of": on_behalf_of}
        return self._answer(self._request("POST", path, {**headers, **more}, body=body), repeat=True)

    def post_once(self, path: str, body: Json | None = None) -> ApiResponse:
        """A command without an idempotency key."""
        return self._answer(self._request("POST", path, {}, body=body), repeat=False)

    def change(
        self,
        method: str,
        path: str,
        etag: str | None,
        body: Json | None = None,
        parameters: Parameters | None = None,
    ) -> ApiResponse:
        """PUT, PATCH or DELETE what was read with this ETag."""
        request = self._request(method, path, {"If-Match": etag}, body=body, parameters=parameters)
        return self._answer(request, repeat=False)

    def readiness(self) -> Json:
        """What `GET /readyz` says, ready or not."""
        reply = self._transport.send(self._request("GET", "/readyz", {}))
        try:
            document = json.loads(reply.content)
            return {"ready": bool(document["ready"]), "checks": dict(document["checks"])}
        except (ValueError, KeyError, TypeError):
            check(reply, self.address)
            raise unexpected(self.address, "its readiness") from None

    def _request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str | None],
        *,
        body: Json | None = None,
        parameters: Parameters | None = None,
    ) -> ApiRequest:
        return build(method, path, {**self._headers, **_present(headers)}, body=body, parameters=parameters)

    def _answer(self, request: ApiRequest, *, repeat: bool) -> ApiResponse:
        answer = self._repeated(request, self._repeats) if repeat and self._repeats else self._once(request)
        if self._on_command and request.method != "GET" and answer.position:
            self._on_command(answer.position)
        return answer

    def _once(self, request: ApiRequest) -> ApiResponse:
        return read(self._transport.send(request), self.address)

    def _repeated(self, request: ApiRequest, repeats: Repeats) -> ApiResponse:
        deadline = repeats.clock() + repeats.seconds
        pause, attempts = _FIRST_PAUSE, 0
        while True:
            attempts += 1
            try:
                return self._once(request)
            except (AnswerLost, NoAnswer) as error:
                # Nobody there at the first try is an answer in itself; later, it is a restart to wait for.
                if attempts == 1 and isinstance(error, NoAnswer):
                    raise
                failure: ApiError = error
                wait = pause
            except ApiProblem as problem:
                if not _passes(problem):
                    raise
                failure, wait = problem, pause if problem.retry_after is None else problem.retry_after
            if repeats.clock() + wait >= deadline:
                raise failure
            if attempts == 1:
                repeats.notice(f"{failure}; trying again")
            repeats.pause(wait)
            pause *= 2


def _present(headers: Mapping[str, str | None]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if value}


def _passes(problem: ApiProblem) -> bool:
    """Whether waiting may help: 503, or the first request with our own key is still being worked on."""
    return problem.status == HTTPStatus.SERVICE_UNAVAILABLE or problem.code == "idempotency_key_in_flight"
