"""The HTTP client of the REST API (design, section 4).

What may be repeated without harm is repeated when the answer is lost or regcred says 503: reads, and POSTs
under an Idempotency-Key. A change under If-Match is sent once: repeated after a lost answer it could only be
told that it is stale, which would be a lie about who changed what.

httpx2 takes a third of the program's start: who speaks imports it, so that help and completion do without.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from http import HTTPStatus
from time import monotonic, sleep
from types import TracebackType
from typing import TYPE_CHECKING, Any

from regcred.client.answers import Answer, check, lines, media_type, read, unexpected
from regcred.client.errors import AnswerLost, ApiProblem, ClientError, NoAnswer, UnexpectedAnswer
from regcred.client.settings import Connection
from regcred.client.speaking import speaking
from shared.runtime.ids import new_id
from shared.secretstore.secret import Secret

if TYPE_CHECKING:
    import httpx2

Json = dict[str, Any]
Parameters = Mapping[str, str | int | bool | None]  # None is left out

REPEAT_SECONDS = 12.0  # for how long a request is repeated
_FIRST_PAUSE = 0.25
_SECONDS = 45.0  # longer than the API's longest `Prefer: wait`
_SECONDS_TO_CONNECT = 5.0
PAGE = 200  # the API's largest `limit`


class Api(AbstractContextManager["Api"]):
    """One connection to the API. `notice` is told when a request is repeated, for up to `patience` seconds.

    Every method raises `ApiProblem`, `NoAnswer`, `AnswerLost` or `UnexpectedAnswer`.
    """

    def __init__(
        self,
        where: Connection,
        notice: Callable[[str], None],
        *,
        clock: Callable[[], float] = monotonic,
        pause: Callable[[float], None] = sleep,
        patience: float = REPEAT_SECONDS,
        timeout: "httpx2.Timeout | None" = None,
    ) -> None:
        import httpx2  # noqa: PLC0415 see above

        self._where = where
        self._patience = patience
        self._notice = notice
        self._clock = clock
        self._pause = pause
        headers = {"Authorization": f"Bearer {where.token.reveal()}", "User-Agent": "regcred"}
        if where.on_behalf_of:
            headers["Regcred-On-Behalf-Of"] = where.on_behalf_of
        self._client = httpx2.Client(
            base_url=where.address,
            headers=headers,
            timeout=timeout or httpx2.Timeout(_SECONDS, connect=_SECONDS_TO_CONNECT),
            # A proxy of the environment cannot reach this machine's loopback, and must not see what is sent
            # there. Elsewhere the proxy and the authorities (SSL_CERT_FILE) of the environment are what the
            # user's network needs.
            trust_env=not where.loopback,
            # A redirect would carry token and secrets to a host that nobody named.
            follow_redirects=False,
        )

    @property
    def address(self) -> str:
        """Where it answers, without a slash at the end."""
        return self._where.address

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._client.close()

    def get(self, path: str, parameters: Parameters | None = None, *, wait_for: str | None = None) -> Answer:
        """Read. `wait_for` is the position of a command whose effect must be seen."""
        headers = {"Regcred-Wait-For": wait_for} if wait_for else {}
        return self._answer(_request("GET", path, headers, parameters=parameters), repeat=True)

    def listing(self, path: str, parameters: Parameters, *, limit: int | None) -> Json:
        """A list as the API answers it, of at most `limit` items (`None`: all), however many pages that is.

        `next_cursor` is where the next one goes on, `sealed` what a list of the audit trail lacks.
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
                raise UnexpectedAnswer(
                    f"{self._where.address} did not answer with a list: is the address right?"
                ) from None
            if not cursor or (limit is not None and len(items) >= limit):
                lacks = {"sealed": page["sealed"]} if "sealed" in page else {}
                return {"items": items, "next_cursor": cursor, **lacks}

    @contextmanager
    def lines(
        self,
        path: str,
        parameters: Parameters,
        *,
        accept: str,
        head: Callable[[Mapping[str, str]], None] | None = None,
    ) -> Iterator[Iterator[bytes]]:
        """A long answer line by line, each with its end of line, as it comes in; `head` is given its headers.

        Reading on may raise `AnswerLost`: what came before is then not the whole.
        """
        request = _request("GET", path, {"Accept": accept}, parameters=parameters)
        with speaking(self._where.address), self._client.stream(**request) as response:
            if not response.is_success:
                response.read()
                check(response)
            if media_type(response) != accept:
                raise unexpected(response, accept)
            if head:
                head(response.headers)
            yield lines(response.iter_bytes())

    def post(
        self,
        path: str,
        body: Json | None = None,
        *,
        prefer: str | None = None,
        on_behalf_of: str | None = None,
    ) -> Answer:
        """A command that is done once, however often it has to be sent (`Idempotency-Key`).

        `on_behalf_of`: for whom this one is done, in place of the connection's.
        """
        headers = {"Idempotency-Key": str(new_id())}
        if prefer:
            headers["Prefer"] = prefer
        if on_behalf_of:
            headers["Regcred-On-Behalf-Of"] = on_behalf_of
        return self._answer(_request("POST", path, headers, body=body), repeat=True)

    def post_once(self, path: str, body: Json) -> Answer:
        """A command of a route that knows no Idempotency-Key."""
        return self._answer(_request("POST", path, {}, body=body), repeat=False)

    def change(
        self,
        method: str,
        path: str,
        etag: str | None,
        body: Json | None = None,
        parameters: Parameters | None = None,
    ) -> Answer:
        """PUT, PATCH or DELETE what was read with this ETag."""
        headers = {"If-Match": etag} if etag else {}
        request = _request(method, path, headers, body=body, parameters=parameters)
        return self._answer(request, repeat=False)

    def _answer(self, request: dict[str, Any], *, repeat: bool) -> Answer:
        deadline = self._clock() + (self._patience if repeat else 0)
        pause, attempts = _FIRST_PAUSE, 0
        while True:
            attempts += 1
            try:
                with speaking(self._where.address):
                    response = self._client.request(**request)
                return read(response)
            except (AnswerLost, NoAnswer) as error:
                # Nobody there at the first try is an answer in itself; later, it is a restart to sit out.
                if attempts == 1 and isinstance(error, NoAnswer):
                    raise
                failure: ClientError = error
                wait = pause
            except ApiProblem as problem:
                if not _passes(problem):
                    raise
                failure, wait = problem, _retry_after(problem, pause)
            if self._clock() + wait >= deadline:
                raise failure
            if attempts == 1:
                self._notice(f"{failure}; trying again")
            self._pause(wait)
            pause *= 2


def _request(
    method: str,
    path: str,
    headers: dict[str, str],
    *,
    body: Json | None = None,
    parameters: Parameters | None = None,
) -> dict[str, Any]:
    request: dict[str, Any] = {"method": method, "url": path, "headers": headers}
    if body is not None:
        # The one place where secrets of a body are looked at.
        request["content"] = json.dumps(body, default=_reveal).encode()
        headers["Content-Type"] = "application/json"
    if parameters:
        request["params"] = {name: value for name, value in parameters.items() if value is not None}
    return request


def _reveal(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _passes(problem: ApiProblem) -> bool:
    """Whether waiting may help: 503, and the first request with our own key still being worked on."""
    return problem.status == HTTPStatus.SERVICE_UNAVAILABLE or problem.code == "idempotency_key_in_flight"


def _retry_after(problem: ApiProblem, otherwise: float) -> float:
    text = problem.document["retry_after"]
    return float(text) if isinstance(text, str) and text.isdecimal() else otherwise
