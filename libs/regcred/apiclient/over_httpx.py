"""The transport of console and command line. The only module that imports httpx2."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from wsgiref.types import WSGIApplication

import httpx2

from regcred.apiclient.client import ApiClient, Repeats
from regcred.apiclient.errors import ConfigurationError, NotConnected
from regcred.apiclient.failures import broken, not_connected
from regcred.apiclient.settings import Connection
from regcred.apiclient.transport import SECONDS, SECONDS_TO_CONNECT, ApiRequest, Reply, Stream, Transport
from regcred.apiclient.trust import trust

TransportFor = Callable[[str | None], Transport]  # the parameter is the address of the browser
_CONSOLE_SECONDS_TO_CONNECT = 3.0  # a user waits for the page


class HttpxTransport:
    """A transport over a client of httpx2."""

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
            raise NotConnected(f"{self._address} is not a valid address") from None
        except httpx2.HTTPError:
            raise broken(self._address) from None


def api_client(
    server: Connection, *, repeats: Repeats | None = None, seconds: float | None = None
) -> ApiClient:
    """Return a client for the command line. `seconds` limits a request to less than the default.

    Raises:
        ConfigurationError: a file of certificate authorities cannot be read.
    """
    client = httpx2.Client(
        base_url=server.address,
        timeout=seconds or httpx2.Timeout(SECONDS, connect=SECONDS_TO_CONNECT),
        # A proxy of the environment cannot reach the loopback of this machine and must not see its requests.
        trust_env=not server.loopback,
        # The authorities of the machine take 20 ms to load. A connection without TLS does not use them.
        # There is no proxy, whose TLS would need them, for the loopback address.
        verify=not _without_tls(server) and _authorities(server.ca_file),
        # A redirect would send token and secrets to a host that the user did not name.
        follow_redirects=False,
    )
    transport = HttpxTransport(client, server.address)
    return ApiClient(transport, token=server.token, on_behalf_of=server.on_behalf_of, repeats=repeats)


def _without_tls(server: Connection) -> bool:
    return server.loopback and server.address.startswith("http://")


def _authorities(ca_file: Path | None) -> ssl.SSLContext:
    """The authorities of the system or of `SSL_CERT_FILE`, and those of `ca_file`."""
    try:
        context = httpx2.create_ssl_context()
    except OSError:
        raise ConfigurationError("the file of SSL_CERT_FILE cannot be read, or has no certificate") from None
    return trust(context, ca_file)


def over_http(address: str, *, ca_file: Path | None = None) -> TransportFor:
    """Return a factory of transports to an API at another address. They share one pool of connections.

    Each request contains the address of the browser. The API uses it if the console is one of its
    REGCRED_TRUSTED_PROXIES.

    Raises:
        ConfigurationError: a file of certificate authorities cannot be read.
    """
    # A proxy of the environment must not see these requests, and a redirect would send the token to another
    # host.
    connections = httpx2.HTTPTransport(trust_env=False, verify=_authorities(ca_file))

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
    """Return a factory of transports to an API in this process, without a socket.

    Over a socket, a page would hold one thread of the server and wait for another. With as many pages as
    threads, all of them would wait forever. The audit trail gets the address of the browser.
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
