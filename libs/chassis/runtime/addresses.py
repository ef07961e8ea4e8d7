"""Whether a process can listen at an address."""

import socket
import sys

from chassis.runtime.cannot_start import CannotStart


class AddressUnusable(CannotStart):
    """The process cannot listen at the address of this setting."""

    def __init__(self, setting: str, host: str, port: int, error: OSError) -> None:
        super().__init__(
            f"cannot listen on {host}:{port}: {error.strerror}; stop what uses it, or change {setting}"
        )


def check_address_is_free(setting: str, host: str, port: int) -> None:
    """Raises `AddressUnusable`. `setting` is the variable that names the address."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        if sys.platform != "win32":
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise AddressUnusable(setting, host, port, error) from None
