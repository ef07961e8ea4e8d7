"""What every answer to a browser carries: what the page may do, that nobody keeps it, and fewer bytes."""

import gzip

from flask import Flask, Response, request

# htmx is a file of ours; no script, style, frame or font of anybody else, and none inline.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
_YEAR = 31_536_000
_SMALL = 860  # bytes; below it a packet is sent all the same


def install(app: Flask, *, tls: bool) -> None:
    """Complete every response of this application."""

    @app.after_request
    def complete(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers[name] = value
        response.headers.setdefault("Cache-Control", "no-store")
        if tls:
            response.headers["Strict-Transport-Security"] = f"max-age={_YEAR}"
        if response.mimetype == "text/html":
            response.vary.update(("HX-Request", "Accept-Encoding"))
            _compress(response)
        return response


def _compress(response: Response) -> None:
    if response.is_streamed or not request.accept_encodings["gzip"]:
        return
    content = response.get_data()
    if len(content) > _SMALL:
        response.set_data(gzip.compress(content, 5, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
