"""The registries of the benchmark of logins. One process with one event loop needs little processor time.

Each registry accepts one password for HTTP Basic and delays every response. A dead registry accepts
connections and never responds. The number of dead registries is set between two runs.
"""

import asyncio
import base64
import multiprocessing
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from multiprocessing.connection import Connection

USER, PASSWORD = "octo", "pa55"  # of registries that exist for minutes
_VALID = b"Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode())
_ACCEPTED = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
_CHALLENGE = (
    b'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm="bench"\r\nContent-Length: 0\r\n\r\n'
)
_END = b"\r\n\r\n"


class Registries:
    """Controls the process of the registries. `hosts` are their addresses as host:port."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.hosts: list[str] = connection.recv()

    def dead(self, number: int) -> float:
        """Make the first `number` registries dead, and close the connections to dead registries.

        Return the processor time of the process so far, in seconds.
        """
        self._connection.send(number)
        spent: float = self._connection.recv()
        return spent


class _State:
    def __init__(self, delay: float) -> None:
        self.delay = delay
        self.dead = 0
        self.silent: set[asyncio.Transport] = set()


class _Registry(asyncio.Protocol):
    def __init__(self, state: _State, number: int) -> None:
        self._state = state
        self._number = number
        self._request = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert self._transport is not None
        self._request += data
        if not self._request.endswith(_END):
            return
        response = _ACCEPTED if _VALID in self._request else _CHALLENGE
        self._request = b""
        if self._number < self._state.dead:
            self._state.silent.add(self._transport)
        else:
            asyncio.get_running_loop().call_later(self._state.delay, self._transport.write, response)

    def connection_lost(self, _error: Exception | None) -> None:
        if self._transport is not None:
            self._state.silent.discard(self._transport)


@contextmanager
def serving(hosts: int, *, delay: float) -> Iterator[Registries]:
    """Run `hosts` registries that delay each response by `delay` seconds."""
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=_serve, args=(hosts, delay, theirs))
    process.start()
    try:
        yield Registries(ours)
    finally:
        process.terminate()
        process.join()


def _serve(hosts: int, delay: float, connection: Connection) -> None:
    async def serve() -> None:
        loop = asyncio.get_running_loop()
        state = _State(delay)
        servers = [
            await loop.create_server(partial(_Registry, state, number), "127.0.0.1", 0, backlog=512)
            for number in range(hosts)
        ]

        def set_dead() -> None:
            state.dead = connection.recv()
            for transport in list(state.silent):
                transport.abort()
            usage = resource.getrusage(resource.RUSAGE_SELF)
            connection.send(usage.ru_utime + usage.ru_stime)

        loop.add_reader(connection.fileno(), set_dead)
        connection.send([f"127.0.0.1:{server.sockets[0].getsockname()[1]}" for server in servers])
        await asyncio.Event().wait()

    asyncio.run(serve())
