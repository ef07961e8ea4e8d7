"""Response headers: content security policy, other security headers, caching and compression."""

import gzip

from flask import Flask, Response, request

# Only files of the console, such as the vendored htmx. No inline scripts or styles, frames or fonts.
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
_MIN_COMPRESSED = 860  # bytes; a smaller response fits into one packet anyway


def install(app: Flask, *, tls: bool) -> None:
    """Add the headers to every response, and compress pages."""

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
    if len(content) > _MIN_COMPRESSED:
        response.set_data(gzip.compress(content, 5, mtime=0))
        response.headers["Content-Encoding"] = "gzip"
