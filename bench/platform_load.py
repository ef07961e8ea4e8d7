"""Requests from many callers with persistent connections, at a constant rate or at the maximum rate.

At a constant rate every request has a scheduled time, and its latency counts from that time. It includes the
wait for a free caller. The callers are threads with plain sockets, so that they use little processor time.
"""

import itertools
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

SECONDS_TO_WAIT = 30.0
HEAD_END = b"\r\n\r\n"


class Failed(Exception):
    """The status of a response was not 200."""


@dataclass(frozen=True, slots=True)
class Server:
    """The address of the server, and the token of the requests."""

    port: int
    token: str = ""

    def request(self, method: str, path: str, body: bytes = b"") -> bytes:
        """The bytes of a request."""
        lines = (
            f"{method} {path} HTTP/1.1",
            f"Host: 127.0.0.1:{self.port}",
            f"Authorization: Bearer {self.token}",
            "Content-Type: application/json",
            f"Content-Length: {len(body)}",
        )
        return "\r\n".join(lines).encode() + HEAD_END + body


def at_rate(server: Server, requests: Sequence[bytes], *, rate: float, callers: int) -> list[float]:
    """Seconds of each request, from its scheduled time to the last byte of the response."""
    started = time.monotonic() + 0.2
    due = [started + place / rate for place in range(len(requests))]

    def moment(place: int) -> float:
        time.sleep(max(0.0, due[place] - time.monotonic()))
        return due[place]

    return _call(server, requests, moment, callers)


def at_once(server: Server, requests: Sequence[bytes], *, callers: int) -> float:
    """Requests per second while every caller always has one open request."""
    started = time.monotonic()
    _call(server, requests, lambda _place: started, callers)
    return len(requests) / (time.monotonic() - started)


def _call(
    server: Server, requests: Sequence[bytes], moment: Callable[[int], float], callers: int
) -> list[float]:
    durations = [0.0] * len(requests)
    places = itertools.count()

    def work() -> None:
        with socket.create_connection(("127.0.0.1", server.port), SECONDS_TO_WAIT) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while (place := next(places)) < len(requests):
                started = moment(place)
                connection.sendall(requests[place])
                _receive(connection)
                durations[place] = time.monotonic() - started

    with ThreadPoolExecutor(callers) as threads:
        for turn in [threads.submit(work) for _ in range(callers)]:
            turn.result()
    return durations


def _receive(connection: socket.socket) -> None:
    response = connection.recv(65536)
    while HEAD_END not in response:
        response += _more(connection)
    head, _, body = response.partition(HEAD_END)
    if not head.startswith(b"HTTP/1.1 200"):
        raise Failed(response[:600])
    length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
    missing = int(length.partition(b":")[2]) - len(body)
    while missing > 0:
        missing -= len(_more(connection))


def _more(connection: socket.socket) -> bytes:
    chunk = connection.recv(65536)
    if not chunk:
        raise Failed("the server has closed the connection")
    return chunk
