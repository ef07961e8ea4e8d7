"""The style sheet, script and icon. They are held in memory, and browsers cache them permanently.

Their URLs contain a digest of the content, so a new version has a new URL.
"""

import gzip
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from flask import Flask, Response, abort, request

_FOLDER = Path(__file__).parent / "static"
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Asset:
    content: bytes
    compressed: bytes
    digest: str
    content_type: str


def read_assets(folder: Path = _FOLDER) -> dict[str, Asset]:
    """Every style sheet, script and icon, by file name."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.suffix in _TYPES:
            content = path.read_bytes()
            found[path.name] = Asset(
                content=content,
                compressed=gzip.compress(content, 9, mtime=0),
                digest=sha256(content).hexdigest()[:16],
                content_type=_TYPES[path.suffix],
            )
    return found


def install(app: Flask) -> None:
    """Serve the assets, and define `asset(name)` for templates, which returns the URL of an asset."""
    assets = read_assets()

    @app.get("/static/<digest>/<name>")
    def static_file(digest: str, name: str) -> Response:
        asset = assets.get(name)
        if asset is None or asset.digest != digest:
            abort(404)
        response = Response(asset.content, content_type=asset.content_type)
        response.headers["Cache-Control"] = FOREVER
        response.headers["Vary"] = "Accept-Encoding"
        if request.accept_encodings["gzip"]:
            response.set_data(asset.compressed)
            response.headers["Content-Encoding"] = "gzip"
        return response

    @app.template_global()
    def asset(name: str) -> str:
        return f"/static/{assets[name].digest}/{name}"
