"""The transport of console and command line. The only module that imports httpx2."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from wsgiref.types import WSGIApplication

import httpx2

from regcred.apiclient.client import ApiClient, Repeats
from regcred.apiclient.errors import NoAnswer
from regcred.apiclient.failures import broken, not_connected
from regcred.apiclient.settings import Connection
from regcred.apiclient.transport import SECONDS, SECONDS_TO_CONNECT, ApiRequest, Reply, Stream, Transport

TransportFor = Callable[[str | None], Transport]  # for a request of the browser at that address
_CONSOLE_SECONDS_TO_CONNECT = 3.0  # a person waits for the page


class HttpxTransport:
    """One client of httpx2."""

    def __init__(self, client: httpx2.Client, address: str) -> None:
        self._client = client
        self._address = address

    @property
    def address(self) -> str:
        return self._address

    def send(self, request: ApiRequest) -> Reply:
        with self._errors():
            return _reply(self._client.send(self._built(request)))

    @contextmanager
    def stream(self, request: ApiRequest) -> Iterator[Stream]:
        with self._errors():
            response = self._client.send(self._built(request), stream=True)
        try:
            yield Stream(_reply(response, with_content=False), self._chunks(response))
        finally:
            response.close()

    def close(self) -> None:
        self._client.close()

    def _built(self, request: ApiRequest) -> httpx2.Request:
        return self._client.build_request(
            request.method, request.target, headers=request.headers, content=request.content
        )

    def _chunks(self, response: httpx2.Response) -> Iterator[bytes]:
        with self._errors():
            yield from response.iter_bytes()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (httpx2.ConnectError, httpx2.ConnectTimeout) as error:
            raise not_connected(self._address, error) from None
        except httpx2.InvalidURL:
            raise NoAnswer(f"{self._address} cannot be an address") from None
        except httpx2.HTTPError:
            raise broken(self._address) from None


def api_client(
    where: Connection, *, repeats: Repeats | None = None, seconds: float | None = None
) -> ApiClient:
    """The API for the command line. `seconds`: of a request, where it must be short."""
    client = httpx2.Client(
        base_url=where.address,
        timeout=seconds or httpx2.Timeout(SECONDS, connect=SECONDS_TO_CONNECT),
        # A proxy of the environment cannot reach this machine's loopback, and must not see what is sent
        # there. Elsewhere the proxy and the authorities (SSL_CERT_FILE) of the environment are what the
        # user's network needs.
        trust_env=not where.loopback,
        # The authorities of the machine take 20 ms to load. A connection in plain text has no use for them; a
        # proxy may, which is reached with TLS and never used for the loopback address.
        verify=not (where.loopback and where.address.startswith("http://")),
        # A redirect would carry token and secrets to a host that nobody named.
        follow_redirects=False,
    )
    transport = HttpxTransport(client, where.address)
    return ApiClient(transport, token=where.token, on_behalf_of=where.on_behalf_of, repeats=repeats)


def over_http(address: str) -> TransportFor:
    """Transports to an API at another address; one pool of connections for all of them.

    The API is told for which browser they ask; a console among its REGCRED_TRUSTED_PROXIES is believed.
    """
    # A proxy of the environment must not see what goes to the API, and a redirect would carry the token away.
    connections = httpx2.HTTPTransport(trust_env=False)

    def transport_for(remote: str | None) -> Transport:
        client = httpx2.Client(
            base_url=address,
            headers={"X-Forwarded-For": remote} if remote else {},
            transport=connections,
            timeout=httpx2.Timeout(SECONDS, connect=_CONSOLE_SECONDS_TO_CONNECT),
            trust_env=False,
            follow_redirects=False,
        )
        return HttpxTransport(client, address)

    return transport_for


def in_process(api: WSGIApplication) -> TransportFor:
    """Transports to an API in this process: the same requests and answers, without a socket between them.

    A page that asked over a socket would hold one thread of the server and wait for another: as many pages as
    there are threads would wait for one another without end. The audit log gets the browser's address, too.
    """
    address = "http://api.regcred"

    def transport_for(remote: str | None) -> Transport:
        transport = httpx2.WSGITransport(
            app=api, remote_addr=remote or "127.0.0.1", raise_app_exceptions=False
        )
        return HttpxTransport(httpx2.Client(base_url=address, transport=transport, trust_env=False), address)

    return transport_for


def _reply(response: httpx2.Response, *, with_content: bool = True) -> Reply:
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Reply(response.status_code, headers, response.content if with_content else b"")
