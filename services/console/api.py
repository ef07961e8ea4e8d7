"""The HTTP client of the REST API (design, section 4): every page of the console is made of its answers."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from wsgiref.types import WSGIApplication

import httpx2

from console.api_problem import ApiProblem, lost, no_answer, of_response
from shared.secretstore.secret import Secret

Json = dict[str, Any]
Parameters = Mapping[str, str | int | bool | None]  # None is left out
ClientFor = Callable[[str | None], httpx2.Client]  # for a request from that address

PAGE = 200  # the API's largest `limit`
_TIMEOUT = httpx2.Timeout(45.0, connect=3.0)  # longer than the API's longest `Prefer: wait`


@dataclass(frozen=True, slots=True)
class Answer:
    """`body` is `None` for 204."""

    status: int
    body: Any
    version: str


def over_http(address: str) -> ClientFor:
    """Clients of an API at another address; one pool of connections for all of them.

    The API is told for which browser they ask; a console among its REGCRED_TRUSTED_PROXIES is believed.
    """
    # A proxy of the environment must not see what goes to the API, and a redirect would carry the token away.
    connections = httpx2.HTTPTransport(trust_env=False)

    def client_for(remote: str | None) -> httpx2.Client:
        headers = {"X-Forwarded-For": remote} if remote else {}
        return httpx2.Client(
            base_url=address,
            headers=headers,
            transport=connections,
            timeout=_TIMEOUT,
            trust_env=False,
            follow_redirects=False,
        )

    return client_for


def in_process(api: WSGIApplication) -> ClientFor:
    """Clients of an API in this process: the same requests and answers, without a socket between them.

    A page that asked over a socket would hold one thread of the server and wait for another: as many pages as
    there are threads would wait for one another for ever. The audit trail gets the browser's address, too.
    """

    def client_for(remote: str | None) -> httpx2.Client:
        transport = httpx2.WSGITransport(
            app=api, remote_addr=remote or "127.0.0.1", raise_app_exceptions=False
        )
        return httpx2.Client(base_url="http://api.regcred", transport=transport, trust_env=False)

    return client_for


class Api:
    """What one request of a browser asks of the API. Every method raises `ApiProblem`.

    `wait_for` is the position of this session's last command: what is read must know it. `on_command` is told
    the position of every command that is answered.
    """

    def __init__(
        self,
        client: httpx2.Client,
        *,
        token: Secret | None,
        request_id: str,
        on_behalf_of: str | None = None,
        wait_for: str | None = None,
        on_command: Callable[[str], None] = lambda _position: None,
    ) -> None:
        self._client = client
        self._headers = {"X-Request-Id": request_id, "User-Agent": "regcred-console"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token.reveal()}"
        if on_behalf_of:
            self._headers["Regcred-On-Behalf-Of"] = on_behalf_of
        self._wait_for = {"Regcred-Wait-For": wait_for} if wait_for else {}
        self._on_command = on_command

    def get(self, path: str, parameters: Parameters | None = None) -> Answer:
        return self._ask("GET", path, self._wait_for, parameters=parameters)

    def items(self, path: str, parameters: Parameters, *, most: int) -> tuple[list[Json], bool]:
        """The first `most` items of a list, and whether there are more."""
        found: list[Json] = []
        cursor: str | None = None
        while True:
            limit = min(PAGE, most - len(found))
            page = self.get(path, {**parameters, "limit": limit, "cursor": cursor}).body
            found.extend(page["items"])
            cursor = page["next_cursor"]
            if not cursor or len(found) >= most:
                return found, bool(cursor)

    def post(self, path: str, body: Json | None = None, *, key: str | None = None) -> Answer:
        """With a `key`, the API does it once, however often the same form is sent."""
        return self._ask("POST", path, {"Idempotency-Key": key} if key else {}, body=body)

    def change(
        self,
        method: str,
        path: str,
        version: str,
        body: Json | None = None,
        parameters: Parameters | None = None,
    ) -> Answer:
        """PUT, PATCH or DELETE what was read at this version."""
        headers = {"If-Match": f'"{version}"' if version else "*"}
        return self._ask(method, path, headers, body=body, parameters=parameters)

    def readiness(self) -> Json:
        """What `GET /readyz` says, ready or not."""
        response = self._send("GET", "/readyz", {}, None, None)
        try:
            document: Json = response.json()
            return {"ready": bool(document["ready"]), "checks": dict(document["checks"])}
        except (ValueError, KeyError, TypeError):
            raise of_response(response) from None

    @contextmanager
    def stream(self, path: str, parameters: Parameters, accept: str) -> Iterator[Iterator[bytes]]:
        """A long answer as it comes in."""
        request = self._client.build_request(
            "GET", path, params=_given(parameters), headers={**self._headers, "Accept": accept}
        )
        try:
            response = self._client.send(request, stream=True)
        except httpx2.HTTPError as error:
            raise no_answer() from error
        try:
            if not response.is_success:
                response.read()
                raise of_response(response)
            yield response.iter_bytes()
        finally:
            response.close()

    def _ask(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        body: Json | None = None,
        parameters: Parameters | None = None,
    ) -> Answer:
        response = self._send(method, path, headers, body, parameters)
        if not response.is_success:
            raise of_response(response)
        if method != "GET" and "Regcred-Position" in response.headers:
            self._on_command(response.headers["Regcred-Position"])
        try:
            answered = response.json() if response.content else None
        except ValueError:
            raise of_response(response) from None
        return Answer(response.status_code, answered, response.headers.get("ETag", "").strip('"'))

    def _send(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Json | None,
        parameters: Parameters | None,
    ) -> httpx2.Response:
        sent = {**self._headers, **headers}
        content = None
        if body is not None:
            # The one place where secrets of a body are looked at.
            content = json.dumps(body, default=_reveal).encode()
            sent["Content-Type"] = "application/json"
        try:
            return self._client.request(
                method, path, headers=sent, content=content, params=_given(parameters or {})
            )
        except httpx2.ConnectError as error:
            raise no_answer() from error
        except httpx2.HTTPError as error:
            raise lost() from error


def account_path(account: str, *segments: str) -> str:
    """A path of an account."""
    return "/v1/accounts/" + "/".join(quote(segment, safe="") for segment in (account, *segments))


def _given(parameters: Parameters) -> dict[str, str | int | bool]:
    return {name: value for name, value in parameters.items() if value is not None}


def _reveal(value: object) -> str:
    if isinstance(value, Secret):
        return value.reveal()
    raise TypeError(f"{type(value).__name__} has no JSON form")


__all__ = ["Answer", "Api", "ApiProblem", "ClientFor", "Json", "account_path", "in_process", "over_http"]
