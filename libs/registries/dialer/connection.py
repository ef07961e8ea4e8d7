"""A TCP connection, with or without TLS. No operation takes longer than the deadline allows."""

import select
import socket
import ssl
from collections.abc import Callable

from registries.dialer.errors import NotHttp, TlsFailed, Unreachable

_HTTP = b"HTTP/"  # the first bytes of a response

_TOO_SLOW = "the registry did not respond in time"
_LOST = "the connection to the registry was lost"

Monotonic = Callable[[], float]


class Deadline:
    """A time at which all operations have to be finished, `seconds` from now."""

    def __init__(self, seconds: float, monotonic: Monotonic) -> None:
        self._monotonic = monotonic
        self._end = monotonic() + seconds

    def remaining(self, at_most: float | None = None) -> float:
        """The remaining seconds, `at_most` if there are more.

        Raises:
            Unreachable: the deadline has passed.
        """
        seconds = self._end - self._monotonic()
        if seconds <= 0:
            raise Unreachable(_TOO_SLOW)
        return seconds if at_most is None else min(seconds, at_most)


class NetworkConnection:
    """A connected socket. `closed_by_peer`: the other side has closed it."""

    def __init__(self, connection: socket.socket, deadline: Deadline) -> None:
        self.closed_by_peer = False
        self._socket = connection
        self._deadline = deadline
        self._first_bytes = b""

    def read(self, max_bytes: int) -> bytes:
        """Up to `max_bytes` bytes; none if the other side has closed the connection.

        Raises:
            LoginNotTried: Unreachable, TlsFailed, or NotHttp if the first bytes are not those of a response.
        """
        data = self._receive(max_bytes)
        self.closed_by_peer = not data
        if len(self._first_bytes) < len(_HTTP):
            self._first_bytes = (self._first_bytes + data)[: len(_HTTP)]
            if not _HTTP.startswith(self._first_bytes):
                raise NotHttp("the server does not speak HTTP")
        return data

    def _receive(self, max_bytes: int) -> bytes:
        try:
            self._socket.settimeout(self._deadline.remaining())
            return self._socket.recv(max_bytes)
        except TimeoutError:
            raise Unreachable(_TOO_SLOW) from None
        except ssl.SSLError:
            raise TlsFailed("the TLS connection failed") from None
        except OSError:
            raise Unreachable(_LOST) from None

    def write(self, data: bytes) -> None:
        """Write all bytes. Raises `Unreachable`."""
        try:
            self._socket.settimeout(self._deadline.remaining())
            self._socket.sendall(data)
        except TimeoutError:
            raise Unreachable(_TOO_SLOW) from None
        except OSError:
            raise Unreachable(_LOST) from None

    def is_idle(self) -> bool:
        """Whether the other side has neither closed the connection nor sent bytes that nobody requested."""
        poll = select.poll()
        poll.register(self._socket, select.POLLIN)
        return not poll.poll(0)

    def close(self) -> None:
        self._socket.close()

    def encrypt(self, tls: ssl.SSLContext, host: str) -> None:
        """Start TLS and check that the certificate is valid for the host. A failure closes the connection.

        Raises:
            LoginNotTried: TlsFailed or Unreachable.
        """
        try:
            self._socket.settimeout(self._deadline.remaining())
            self._socket = tls.wrap_socket(self._socket, server_hostname=host)
        except ssl.SSLCertVerificationError as error:
            self.close()
            raise TlsFailed(f"the certificate is not valid: {_reason(error)}") from None
        except TimeoutError:
            self.close()
            raise Unreachable(_TOO_SLOW) from None
        except ssl.SSLError:
            self.close()
            raise TlsFailed("the server does not speak TLS, or only versions that are not secure") from None
        except OSError:
            self.close()
            raise Unreachable(_LOST) from None
        except Unreachable:
            self.close()
            raise


def _reason(error: ssl.SSLCertVerificationError) -> str:
    """The message of OpenSSL, in at most 120 characters.

    The message contains nothing of the certificate except a name.
    """
    return error.verify_message[:120]
