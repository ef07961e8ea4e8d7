"""Requests to the REST API, over any transport.

Reads, and POSTs with an idempotency key, are repeated when the response is lost or is a 503. A change with
`If-Match` is sent once: if it was done and its response was lost, a repetition would be refused as stale.
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

from regcred.apiclient.errors import ApiError, ApiProblem, NotConnected, ResponseLost
from regcred.apiclient.response import ApiResponse, check, lines, read, unexpected
from regcred.apiclient.secret import Revealable
from regcred.apiclient.transport import ApiRequest, Json, Parameters, Stream, Transport, build

PAGE = 200  # the API's largest `limit`
REPEAT_SECONDS = 12.0
_FIRST_PAUSE = 0.25


@dataclass(frozen=True, slots=True)
class Repeats:
    """How a request is repeated: for `seconds`. `notice` gets a message before the first repetition."""

    notice: Callable[[str], None]
    seconds: float = REPEAT_SECONDS
    clock: Callable[[], float] = monotonic
    pause: Callable[[float], None] = sleep


class ApiClient(AbstractContextManager["ApiClient"]):
    """The API for one caller. Every method raises `ApiError`.

    Args:
        transport: closed with this client.
        token: sent with every request.
        on_behalf_of: the user that a service acts for; recorded in the audit trail.
        request_id: the id of every request; without one, the API generates an id for each request.
        wait_for: the log position that every read must include.
        on_command: called with the log position of each successful command.
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
        """The address of the API, without a trailing slash."""
        return self._transport.address

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._transport.close()

    def get(
        self, path: str, parameters: Parameters | None = None, *, wait_for: str | None = None
    ) -> ApiResponse:
        """Read. The response includes the effect of the command at position `wait_for`."""
        headers = {"Regcred-Wait-For": wait_for or self._wait_for}
        return self._response(self._request("GET", path, headers, parameters=parameters), repeat=True)

    def listing(self, path: str, parameters: Parameters, *, limit: int | None) -> Json:
        """Read a list of at most `limit` items (`None`: all), from as many pages as necessary.

        In the result `next_cursor` is the start of the next page. `sealed` describes events that are missing
        from a list of the audit trail because they are archived.
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
                archived = {"sealed": page["sealed"]} if "sealed" in page else {}
                return {"items": items, "next_cursor": cursor, **archived}

    @contextmanager
    def stream(self, path: str, parameters: Parameters, *, accept: str) -> Iterator[Stream]:
        """Yield a long response of the media type `accept` while it arrives. The request is sent once."""
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
        """Like `stream`, line by line, each with its newline."""
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
        """Send a command with an idempotency key, so that a repetition has no second effect.

        `key`: a new one if `None`. `on_behalf_of`: the user of this command, instead of the client's.
        """
        # This package does not import the services, which have their own source of ids.
        headers = {"Idempotency-Key": key or str(uuid.uuid4())}  # noqa: TID251
        more = {"Prefer": prefer, "Regcred-On-Behalf-Of": on_behalf_of}
        return self._response(self._request("POST", path, {**headers, **more}, body=body), repeat=True)

    def post_once(
        self, path: str, body: Json | None = None, parameters: Parameters | None = None
    ) -> ApiResponse:
        """Send a command without an idempotency key, once."""
        return self._response(self._request("POST", path, {}, body=body, parameters=parameters), repeat=False)

    def change(
        self,
        method: str,
        path: str,
        etag: str | None,
        body: Json | None = None,
        parameters: Parameters | None = None,
    ) -> ApiResponse:
        """PUT, PATCH or DELETE an object that was read with this ETag."""
        request = self._request(method, path, {"If-Match": etag}, body=body, parameters=parameters)
        return self._response(request, repeat=False)

    def readiness(self) -> Json:
        """Return the document of `GET /readyz`, whether it says ready or not."""
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

    def _response(self, request: ApiRequest, *, repeat: bool) -> ApiResponse:
        response = self._repeated(request, self._repeats) if repeat and self._repeats else self._once(request)
        if self._on_command and request.method != "GET" and response.position:
            self._on_command(response.position)
        return response

    def _once(self, request: ApiRequest) -> ApiResponse:
        return read(self._transport.send(request), self.address)

    def _repeated(self, request: ApiRequest, repeats: Repeats) -> ApiResponse:
        deadline = repeats.clock() + repeats.seconds
        pause, attempts = _FIRST_PAUSE, 0
        while True:
            attempts += 1
            try:
                return self._once(request)
            except (ResponseLost, NotConnected) as error:
                # At the first attempt the address is probably wrong. Later the API is probably restarting.
                if attempts == 1 and isinstance(error, NotConnected):
                    raise
                failure: ApiError = error
                wait = pause
            except ApiProblem as problem:
                if not _is_temporary(problem):
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


def _is_temporary(problem: ApiProblem) -> bool:
    """Whether a repetition may succeed: 503, or the API still handles the first request with this key."""
    return problem.status == HTTPStatus.SERVICE_UNAVAILABLE or problem.code == "idempotency_key_in_flight"
