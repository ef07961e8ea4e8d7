"""Where the keys of a token issuer are: in a file, or at a URL.

The operator has chosen the URL, so its host may have a private address, as an issuer in the same cluster has.
With TLS, only the host with the name in the URL can respond. Proxies of the environment are not used, and
redirects are not followed.
"""

import socket
import ssl
from contextlib import closing, suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Timer
from typing import Protocol
from urllib.parse import urlsplit

import jwt
import structlog

from chassis.authentication.errors import IssuerUnavailable
from chassis.settings.files import text_of
from chassis.settings.invalid_setting import InvalidSetting

log = structlog.get_logger()

SETTING = "REGCRED_TOKEN_ISSUERS"
FETCH_SECONDS = 5.0  # from the connection to the end of the response
MAX_BYTES = 256 * 1024


class KeySource(Protocol):
    """The source of the keys of an issuer."""

    def read(self) -> jwt.PyJWKSet:
        """Read the current keys. Raises `IssuerUnavailable`."""


@dataclass(frozen=True, slots=True)
class FileKeys:
    """A JWKS in a file."""

    path: Path

    def read(self) -> jwt.PyJWKSet:
        try:
            return jwt.PyJWKSet.from_json(self.path.read_text())
        except (OSError, ValueError, jwt.PyJWTError) as error:
            log.warning("issuer_keys_unreadable", file=self.path.name, error=type(error).__name__)
            raise IssuerUnavailable from None

    def check(self) -> None:
        """Read the file at the start of the process. Raises `InvalidSetting`."""
        try:
            jwt.PyJWKSet.from_json(text_of(SETTING, self.path))
        except (ValueError, jwt.PyJWTError):
            raise InvalidSetting(SETTING, f"{self.path} is not a JWKS with a usable key") from None


@dataclass(frozen=True, slots=True)
class UrlKeys:
    """A JWKS at a URL."""

    url: str
    seconds: float = FETCH_SECONDS

    def read(self) -> jwt.PyJWKSet:
        try:
            return jwt.PyJWKSet.from_json(self._fetch().decode())
        except (OSError, HTTPException, ValueError, TypeError, AttributeError, jwt.PyJWTError) as error:
            log.warning("issuer_keys_unreadable", url=self.url, error=type(error).__name__, reason=str(error))
            raise IssuerUnavailable from None

    def _fetch(self) -> bytes:
        parts = urlsplit(self.url)
        host, is_tls = parts.hostname or "", parts.scheme == "https"
        address = (host, parts.port or (443 if is_tls else 80))
        with socket.create_connection(address, self.seconds) as plain, plain.dup() as handle:
            # The timeout of a socket is for one read, and a server may send byte by byte.
            end = Timer(self.seconds, _end, [handle])
            end.daemon = True
            end.start()
            try:
                connection = HTTPConnection(host, parts.port)
                context = ssl.create_default_context()
                connection.sock = context.wrap_socket(plain, server_hostname=host) if is_tls else plain
                with closing(connection):
                    target = f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/"
                    connection.request("GET", target, headers={"Accept": "application/json"})
                    response = connection.getresponse()
                    if response.status != HTTPStatus.OK:  # a redirect is no JWKS either
                        raise ValueError(f"status {response.status}")
                    body = response.read(MAX_BYTES + 1)
            finally:
                end.cancel()
        if len(body) > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES} bytes")
        return body


def _end(connection: socket.socket) -> None:
    with suppress(OSError):  # it has ended already
        connection.shutdown(socket.SHUT_RDWR)
