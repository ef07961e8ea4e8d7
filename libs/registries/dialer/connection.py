"""One connection, plain or with TLS: each of its operations ends at the deadline at the latest."""

import select
import socket
import ssl
from collections.abc import Callable

from registries.dialer.errors import NotHttp, TlsFailed, Unreachable

_HTTP = b"HTTP/"  # with this begins every answer, and there is one on each connection

Monotonic = Callable[[], float]


class Deadline:
    """One moment at which everything has to be over."""

    def __init__(self, seconds: float, monotonic: Monotonic) -> None:
        self._monotonic = monotonic
        self._end = monotonic() + seconds

    def remaining(self, at_most: float | None = None) -> float:
        """Seconds that are left, `at_most` so many.

        Raises:
            Unreachable: there are none left.
        """
        left = self._end - self._monotonic()
        if left <= 0:
            raise Unreachable("the registry took too long to answer")
        return left if at_most is None else min(left, at_most)


class NetworkConnection:
    """A connected socket. `hung_up`: the other side has closed it."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self.closed_by_peer = False
        self._socket = connection
        self._deadline = deadline
        self._first_bytes = b""

    def read(self, max_bytes: int) -> bytes:
        """Some bytes; none where the other side has closed it.

        Raises:
            LoginNotTried: Unreachable, TlsFailed, or NotHttp for what is no answer from its first byte on.
        """
        data = self._receive(max_bytes)
        self.closed_by_peer = not data
        if len(self._first_bytes) < len(_HTTP):
            self._first_bytes = (self._first_bytes + data)[: len(_HTTP)]
            if not _HTTP.startswith(self._first_bytes):
                raise NotHttp("what answers there does not speak HTTP")
        return data

    def _receive(self, max_bytes: int) -> bytes:
        try:
            self._socket.settimeout(self._deadline.remaining())
            return self._socket.recv(max_bytes)
        except TimeoutError:
            raise Unreachable("the registry took too long to answer") from None
        except ssl.SSLError:
            raise TlsFailed("the encrypted connection broke") from None
        except OSError:
            raise Unreachable("the connection to the registry was lost") from None

    def write(self, data: bytes) -> None:
        """All of it. Raises `Unreachable`."""
        try:
            self._socket.settimeout(self._deadline.remaining())
            self._socket.sendall(data)
        except TimeoutError:
            raise Unreachable("the registry took too long to answer") from None
        except OSError:
            raise Unreachable("the connection to the registry was lost") from None

    def is_idle(self) -> bool:
        """Between two answers: the other side has neither closed it nor talks out of turn."""
        waiting = select.poll()
        waiting.register(self._socket, select.POLLIN)
        return not waiting.poll(0)

    def close(self) -> None:
        self._socket.close()

    def encrypt(self, tls: ssl.SSLContext, host: str) -> None:
        """Speak TLS from here on, with a certificate that is good for that host; closed if it fails.

        Raises:
            LoginNotTried: TlsFailed or Unreachable.
        """
        try:
            self._socket.settimeout(self._deadline.remaining())
            self._socket = tls.wrap_socket(self._socket, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            self.close()
            raise TlsFailed(f"its certificate is not good: {_reason(error)}") from None
        except TimeoutError:
            self.close()
            raise Unreachable("the registry took too long to answer") from None
        except ssl.SSLError:
            self.close()
            raise TlsFailed("it does not speak TLS, or none that is safe") from None
        except OSError:
            self.close()
            raise Unreachable("the connection to the registry was lost") from None
        except Unreachable:
            self.close()
            raise


def _reason(error: ssl.SSLCertVerificationError) -> str:
    """OpenSSL's own words, which hold nothing of the certificate but a name; bounded."""
    return error.verify_message[:120]
