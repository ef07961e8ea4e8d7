"""A small registry on the loopback address, over HTTP with basic authentication.

It has names, tags and manifests of images, but no layers: images cannot be pulled or pushed.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import TracebackType
from typing import Self

_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_PATH = re.compile(r"/v2/(?P<repository>.+)/(?P<what>tags/list|manifests/(?P<reference>[^/]+))")
Logins = Collection[tuple[str, str]]
_Response = tuple[int, Mapping[str, str], bytes]  # status, headers, body


class DemoRegistry:
    """A registry that serves within a `with` block.

    `logins` are pairs of username and password, `tags` the tags of each repository.

    Raises:
        OSError: at the start of the block, if another program listens on the port.
    """

    def __init__(self, port: int, *, logins: Logins, tags: Mapping[str, Collection[str]]) -> None:
        self._port = port
        self._handler = _handler(lambda path, header: _respond(path, header, logins, tags))
        self._server: ThreadingHTTPServer | None = None
        self._thread: Thread | None = None

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler)
        self._thread = Thread(target=self._server.serve_forever, args=(0.1,), name="demo-registry")
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()


def _handler(respond: Callable[[str, str], _Response]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5  # seconds, so that an idle connection does not delay the end of the demo

        def do_GET(self) -> None:
            status, headers, body = respond(
                self.path.partition("?")[0], self.headers.get("Authorization", "")
            )
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        do_HEAD = do_GET  # noqa: N815 the base class looks for this name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the base class names it so
            """Log nothing: the verifier reports the result of each login."""

    return Handler


def _respond(path: str, header: str, logins: Logins, tags: Mapping[str, Collection[str]]) -> _Response:
    if not _is_authenticated(header, logins):
        challenge = {"WWW-Authenticate": 'Basic realm="regcred demo"', "Content-Type": "application/json"}
        return HTTPStatus.UNAUTHORIZED, challenge, b'{"errors": [{"code": "UNAUTHORIZED"}]}'
    if path == "/v2/":
        return HTTPStatus.OK, {"Content-Type": "application/json"}, b"{}"
    matched = _PATH.fullmatch(path)
    known = tags.get(matched["repository"]) if matched else None
    if matched is None or known is None:
        return _missing("NAME_UNKNOWN")
    if matched["reference"] is None:
        document = {"name": matched["repository"], "tags": sorted(known)}
        return HTTPStatus.OK, {"Content-Type": "application/json"}, json.dumps(document).encode()
    manifests = {tag: _manifest(f"{matched['repository']}:{tag}") for tag in known}
    by_reference = {**manifests, **{_digest(body): body for body in manifests.values()}}
    body = by_reference.get(matched["reference"])
    if body is None:
        return _missing("MANIFEST_UNKNOWN")
    return HTTPStatus.OK, {"Content-Type": _MANIFEST, "Docker-Content-Digest": _digest(body)}, body


def _missing(code: str) -> _Response:
    body = json.dumps({"errors": [{"code": code}]}).encode()
    return HTTPStatus.NOT_FOUND, {"Content-Type": "application/json"}, body


def _is_authenticated(header: str, logins: Logins) -> bool:
    scheme, _, text = header.partition(" ")
    try:
        user, colon, password = base64.b64decode(text, validate=True).decode().partition(":")
    except ValueError:
        return False
    return scheme.lower() == "basic" and bool(colon) and (user, password) in logins


def _manifest(image: str) -> bytes:
    """A different manifest for each image. Its layers do not exist."""
    seed = hashlib.sha256(image.encode())
    config = {"mediaType": "application/vnd.oci.image.config.v1+json", "size": 2, "digest": _digest(b"{}")}
    layer = {
        "mediaType": "application/vnd.oci.image.layer.v1.tar+gzip",
        "size": int.from_bytes(seed.digest()[:3], "big"),
        "digest": f"sha256:{seed.hexdigest()}",
    }
    return json.dumps(
        {"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": [layer]}
    ).encode()


def _digest(body: bytes) -> str:
    return f"sha256:{hashlib.sha256(body).hexdigest()}"
