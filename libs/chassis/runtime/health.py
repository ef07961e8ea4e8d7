"""`python -m chassis.runtime.health URL`: the health check of images, which contain no curl.

`http://host:port/path` must respond with 200. For `tcp://host:port` a connection is enough. It is for
processes whose only HTTP route is `/metrics`, which queries the database.
"""

import http.client
import socket
import sys
from urllib.parse import urlsplit

HEALTH_CHECK_SECONDS = 10.0  # the timeout in the Dockerfile also covers the start of Python


def is_healthy(url: str, seconds: float = 3.0) -> bool:
    """Whether the server responds within `seconds`. Raises `ValueError` for another form of URL."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "tcp"} or parts.hostname is None or parts.port is None:
        raise ValueError(f"{url!r} is neither http://host:port/path nor tcp://host:port")
    try:
        if parts.scheme == "tcp":
            socket.create_connection((parts.hostname, parts.port), seconds).close()
            return True
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=seconds)
        try:
            connection.request("GET", parts.path or "/")
            return connection.getresponse().status == http.HTTPStatus.OK
        finally:
            connection.close()
    except (OSError, http.client.HTTPException):
        return False


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004 the program and its URL
        sys.exit("usage: python -m chassis.runtime.health URL")
    sys.exit(0 if is_healthy(sys.argv[1], HEALTH_CHECK_SECONDS) else 1)
