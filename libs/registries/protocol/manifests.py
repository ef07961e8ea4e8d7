"""Reads the manifest or index of an image (OCI image specification). Pure.

All values that are returned have a checked form and size: digests as the specification defines them, media
types of its list, short names of platforms.
"""

import json
import re
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from registries.dialer.response import HttpResponse
from registries.protocol.probe import MANIFEST_TYPES

MAX_PLATFORMS = 200
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128}")
_PLATFORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,31}")
_KNOWN_TYPES = frozenset(MANIFEST_TYPES.split(", "))


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """One image of an index, with its platform."""

    os: str
    architecture: str
    variant: str | None
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundImage:
    """An image as its manifest describes it.

    `digest` is that of the manifest. `size` is the number of bytes that a pull downloads: configuration and
    layers, compressed. An index has no size, but `platforms`.
    """

    digest: str
    media_type: str | None
    size: int | None
    platforms: tuple[Platform, ...]


def read_manifest(response: HttpResponse) -> FoundImage | None:
    """The image that a manifest describes; `None` if the response is not a manifest."""
    document = json_object(response)
    if document is None:
        return None
    declared = document.get("mediaType") or (response.header("content-type") or "").partition(";")[0].strip()
    media_type = declared if declared in _KNOWN_TYPES else None
    digest = f"sha256:{sha256(response.body).hexdigest()}"
    entries = document.get("manifests")
    if isinstance(entries, list):
        platforms = tuple(filter(None, map(_platform, entries[:MAX_PLATFORMS])))
        return FoundImage(digest=digest, media_type=media_type, size=None, platforms=platforms)
    layers = document.get("layers")
    if not isinstance(layers, list):
        return None
    sizes = [_size(part) for part in (document.get("config"), *layers)]
    total = None if None in sizes else sum(size for size in sizes if size is not None)
    return FoundImage(digest=digest, media_type=media_type, size=total, platforms=())


def json_object(response: HttpResponse) -> dict[str, Any] | None:
    """The JSON object in a response; `None` if there is none."""
    try:
        document = json.loads(response.body)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _platform(entry: object) -> Platform | None:
    """The platform of an entry; `None` if the entry is not an image.

    BuildKit's attestations (`unknown/unknown`) are not images.
    """
    if not isinstance(entry, dict) or not isinstance(platform := entry.get("platform"), dict):
        return None
    os, architecture, variant = (platform.get(name) for name in ("os", "architecture", "variant"))
    digest = entry.get("digest")
    if not (_is(_PLATFORM, os) and _is(_PLATFORM, architecture) and _is(_DIGEST, digest)) or os == "unknown":
        return None
    return Platform(
        os=str(os),
        architecture=str(architecture),
        variant=str(variant) if _is(_PLATFORM, variant) else None,
        digest=str(digest),
    )


def _is(form: re.Pattern[str], value: object) -> bool:
    return isinstance(value, str) and form.fullmatch(value) is not None


def _size(descriptor: object) -> int | None:
    size = descriptor.get("size") if isinstance(descriptor, dict) else None
    return size if type(size) is int and 0 <= size < 2**53 else None
