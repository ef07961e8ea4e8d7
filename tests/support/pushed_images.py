"""Images put into a registry over its own API (OCI distribution specification), without a client."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

import httpx2

from tests.support.timing import PATIENCE

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar"


def push_image(url: str, repository: str, tag: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """A small image; its descriptor."""
    with httpx2.Client(
        base_url=f"{url}/v2/{repository}", headers=headers, timeout=PATIENCE, trust_env=False
    ) as client:
        layer = _blob(client, tag.encode() * 10, LAYER)
        config = {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": _blob(client, json.dumps(config).encode(), CONFIG),
            "layers": [layer],
        }
        return _manifest(client, tag, manifest)


def push_index(
    url: str, repository: str, tag: str, headers: Mapping[str, str], platforms: Mapping[str, dict[str, Any]]
) -> dict[str, Any]:
    """An index of images that are there, by `os/architecture`; its descriptor."""
    entries = []
    for platform, descriptor in platforms.items():
        os, architecture = platform.split("/")
        entries.append(descriptor | {"platform": {"os": os, "architecture": architecture}})
    with httpx2.Client(
        base_url=f"{url}/v2/{repository}", headers=headers, timeout=PATIENCE, trust_env=False
    ) as client:
        return _manifest(client, tag, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})


def _manifest(client: httpx2.Client, tag: str, manifest: dict[str, Any]) -> dict[str, Any]:
    content = json.dumps(manifest).encode()
    kind = manifest["mediaType"]
    client.put(f"/manifests/{tag}", content=content, headers={"Content-Type": kind}).raise_for_status()
    return _descriptor(content, kind)


def _blob(client: httpx2.Client, content: bytes, kind: str) -> dict[str, Any]:
    descriptor = _descriptor(content, kind)
    begun = client.post("/blobs/uploads/").raise_for_status()
    place = httpx2.URL(begun.headers["Location"]).copy_merge_params({"digest": descriptor["digest"]})
    client.put(place, content=content).raise_for_status()
    return descriptor


def _descriptor(content: bytes, kind: str) -> dict[str, Any]:
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    return {"mediaType": kind, "digest": digest, "size": len(content)}
