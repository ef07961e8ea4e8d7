"""Connections whose every address is checked, and whose every wait ends at one deadline.

The name is resolved here, all of its addresses must be permitted, and the connection goes to one of those
addresses: what a name resolves to later makes no difference (DNS rebinding). Environment proxies are unknown
to it.
"""

import socket
from collections.abc import Callable, Sequence
from contextlib import suppress
from ipaddress import ip_address
from queue import Empty, SimpleQueue
from threading import Thread

from registries.dialer.addresses import Address, NetworkPolicy
from registries.dialer.connection import Deadline, NetworkConnection
from registries.dialer.errors import Blocked, Unreachable

CONNECT_SECONDS = 5.0
_NO_ADDRESS = (
    "the registry's name has no address that may be reached from here; one in a private network has to be "
    "allowed by the operator"
)

Resolver = Callable[[str, int], Sequence[str]]


def system_resolver(host: str, port: int) -> list[str]:
    """The addresses of a name, as the machine's resolver gives them.

    Raises:
        OSError: there are none.
    """
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in addresses))


class Dialer:
    """The network as far as it may be reached. All waits for it end at `deadline`."""

    def __init__(self, policy: NetworkPolicy, deadline: Deadline, resolver: Resolver) -> None:
        self._policy = policy
        self._deadline = deadline
        self._resolver = resolver

    def dial(self, host: str, port: int) -> NetworkConnection:
        """A new connection.

        Raises:
            LoginNotTried: Blocked or Unreachable.
        """
        last: OSError | None = None
        for address in self._addresses(host, port):
            try:
                connection = _connected(address, port, self._deadline.remaining(CONNECT_SECONDS))
            except OSError as error:
                last = error
            else:
                with suppress(OSError):  # of a connection that was reset at once: reading will tell
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return NetworkConnection(connection, self._deadline)
        raise Unreachable("the registry cannot be reached") from last

    def _addresses(self, host: str, port: int) -> list[Address]:
        """All addresses of the name, every one of them permitted.

        A name that has none and one that has others are the same to who asks: the two would tell which names
        there are in the operator's network.
        """
        try:
            address = ip_address(host.strip("[]"))
        except ValueError:
            addresses = [ip_address(text) for text in self._resolve(host, port)]
            if not all(self._policy.permits(host, port, address) for address in addresses):
                raise Unreachable(_NO_ADDRESS) from None
            return addresses
        if not self._policy.permits(host, port, address):
            raise Blocked("this address may not be reached from here; the operator can allow it")
        return [address]

    def _resolve(self, host: str, port: int) -> Sequence[str]:
        """Resolve in a thread of its own: a resolver that hangs must not hold the login beyond its time."""
        resolved: SimpleQueue[Sequence[str] | OSError] = SimpleQueue()

        def resolve() -> None:
            try:
                resolved.put(self._resolver(host, port))
            except OSError as error:
                resolved.put(error)
            except UnicodeError:
                resolved.put([])

        Thread(target=resolve, name="resolve", daemon=True).start()
        try:
            addresses = resolved.get(timeout=self._deadline.remaining(CONNECT_SECONDS))
        except Empty:
            raise Unreachable("the registry's name was not resolved in time") from None
        if isinstance(addresses, OSError) or not addresses:
            raise Unreachable(_NO_ADDRESS)
        return addresses


def _connected(address: Address, port: int, seconds: float) -> socket.socket:
    """A connection to an address; unlike `socket.create_connection`, it asks no resolver about it."""
    connection = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6)  # noqa: PLR2004
    try:
        connection.settimeout(seconds)
        connection.connect((str(address), port))
    except OSError:
        connection.close()
        raise
    return connection
