"""The dialer: connections to permitted addresses only, within one deadline.

It resolves a name, requires that all of its addresses are permitted, and connects to one of them. A later
change of the name has no effect (DNS rebinding). Proxies from the environment are not used.
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
    "the registry's name does not resolve, or resolves to an address that is not allowed. Check the name; an "
    "operator allows private addresses with REGCRED_VERIFIER_ALLOW"
)

Resolver = Callable[[str, int], Sequence[str]]


def system_resolver(host: str, port: int) -> list[str]:
    """The addresses of a name, from the resolver of the machine.

    Raises:
        OSError: the name has no address.
    """
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in addresses))


class Dialer:
    """Dials the addresses that `policy` permits, until `deadline`."""

    def __init__(self, policy: NetworkPolicy, deadline: Deadline, resolver: Resolver) -> None:
        self._policy = policy
        self._deadline = deadline
        self._resolver = resolver

    def dial(self, host: str, port: int) -> NetworkConnection:
        """Open a connection.

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
                with suppress(OSError):  # if the connection was reset already, the first read fails
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return NetworkConnection(connection, self._deadline)
        raise Unreachable("the registry cannot be reached") from last

    def _addresses(self, host: str, port: int) -> list[Address]:
        """All addresses of the name, after a check that each is permitted.

        The error is the same for a name without addresses and for one with blocked addresses. Otherwise
        callers could find out which names exist in the operator's network.
        """
        try:
            address = ip_address(host.strip("[]"))
        except ValueError:
            addresses = [ip_address(text) for text in self._resolve(host, port)]
            if not all(self._policy.permits(host, port, address) for address in addresses):
                raise Unreachable(_NO_ADDRESS) from None
            return addresses
        if not self._policy.permits(host, port, address):
            raise Blocked("regcred may not connect to this address; the operator can allow it")
        return [address]

    def _resolve(self, host: str, port: int) -> Sequence[str]:
        """Resolve in a separate thread, so that a resolver that hangs cannot exceed the deadline."""
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
    """A connection to an address. `socket.create_connection` would use the resolver."""
    connection = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6)  # noqa: PLR2004
    try:
        connection.settimeout(seconds)
        connection.connect((str(address), port))
    except OSError:
        connection.close()
        raise
    return connection
