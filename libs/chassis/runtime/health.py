"""`python -m chassis.runtime.health URL`: the health check of images, which contain no curl.

`http://host:port/path` must respond with 200.
"""

import http.client
import sys
from urllib.parse import urlsplit

HEALTH_CHECK_SECONDS = 10.0  # the timeout in the Dockerfile also covers the start of Python


def is_healthy(url: str, seconds: float = 3.0) -> bool:
    """Whether the server responds within `seconds`. Raises `ValueError` for another form of URL."""
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname is None or parts.port is None:
        raise ValueError(f"{url!r} is not http://host:port/path")
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=seconds)
    try:
        connection.request("GET", f"{parts.path or '/'}?{parts.query}" if parts.query else parts.path or "/")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004 the program and its URL
        sys.exit("usage: python -m chassis.runtime.health URL")
    sys.exit(0 if is_healthy(sys.argv[1], HEALTH_CHECK_SECONDS) else 1)
