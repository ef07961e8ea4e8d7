"""The manifest of a sealed segment of the audit trail: which rows it holds, where they stand in the log, and
which segment comes before it; signed by the key of the log's checkpoints (ADR 15). Pure.

The signature is over the manifest's own JSON with an empty `signature`, without line feed. A manifest is only
taken byte for byte as it is written here, so that nothing of it can be changed, not even a space.
"""

import base64
from hashlib import sha256
from urllib.parse import quote

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from eventlog.integrity import key_id
from projector.write.archived_through import segment_name

FORMAT = "regcred-audit-segment-1"
NONE_BEFORE = bytes(32)  # what the first segment has as the hash of the one before


class BrokenSegment(Exception):
    """It is not, or no longer, what was sealed; `where` names the file."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason


class SegmentFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One account's rows: how many, and size (bytes) and SHA-256 of the file as it lies there.

    `news` are the rows that are no `audit.sealed`. An account is told of a segment only where it has some: an
    account in which nothing happens would else be told for ever of what it was told.
    """

    account_id: str
    rows: int
    news: int
    bytes: int
    sha256: str

    @property
    def name(self) -> str:
        return file_name(self.account_id)


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Times are RFC 3339, hashes hexadecimal.

    `lacking` are the positions of which the trail had no row. `earliest` and `latest` are those of the rows'
    times. `log_before` and `log_last` are the log's hashes (ADR 8) at the position before the first, and at
    the last one. `previous` is the SHA-256 of the manifest before this one.
    """

    format: str = FORMAT
    first_position: int
    last_position: int
    rows: int
    lacking: tuple[int, ...]
    earliest: str | None
    latest: str | None
    log_before: str
    log_last: str
    previous: str
    files: tuple[SegmentFile, ...]
    sealed_at: str
    sealed_by: str
    key_id: str = ""
    signature: str = ""

    @property
    def name(self) -> str:
        return segment_name(self.first_position, self.last_position)

    def encoded(self) -> bytes:
        return msgspec.json.encode(self) + b"\n"

    def signed(self) -> bytes:
        return msgspec.json.encode(msgspec.structs.replace(self, signature=""))


def file_name(account_id: str) -> str:
    """Of an account's rows; no account leads out of the folder."""
    return quote(account_id, safe="") + ".ndjson.gz"


def digest_of(document: bytes) -> bytes:
    """What the next manifest has as `previous`."""
    return sha256(document).digest()


def sign_manifest(manifest: Manifest, key: Ed25519PrivateKey) -> Manifest:
    unsigned = msgspec.structs.replace(manifest, key_id=key_id(key.public_key()), signature="")
    signature = base64.b64encode(key.sign(unsigned.signed())).decode()
    return msgspec.structs.replace(unsigned, signature=signature)


def open_manifest(document: bytes, key: Ed25519PublicKey, *, where: str) -> Manifest:
    """A manifest that this key has signed; `where` is what it is called in errors.

    Raises:
        BrokenSegment.
    """
    try:
        manifest = msgspec.json.decode(document, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise BrokenSegment(where, "it is not, or no longer, a manifest") from None
    if manifest.format != FORMAT:
        raise BrokenSegment(where, f"its format is {manifest.format!r}, not {FORMAT!r}")
    if manifest.encoded() != document:
        raise BrokenSegment(where, "it is not written as it was")
    try:
        signature = base64.b64decode(manifest.signature, validate=True)
        key.verify(signature, manifest.signed())
    except (ValueError, InvalidSignature):
        detail = f"not signed by this key (its own is {manifest.key_id}), or changed"
        raise BrokenSegment(where, detail) from None
    if base64.b64encode(signature).decode() != manifest.signature:
        raise BrokenSegment(where, "the signature is written in another way")
    return manifest


def follows(before: Manifest, digest: bytes, after: Manifest, *, where: str) -> None:
    """That a segment is the next one; `digest` is that of the manifest before it.

    Raises:
        BrokenSegment.
    """
    if after.first_position != before.last_position + 1:
        expected = before.last_position + 1
        raise BrokenSegment(where, f"position {expected} should come, {after.first_position} stands there")
    if after.previous != digest.hex():
        raise BrokenSegment(where, "the segment before it is another one than when it was sealed")
    if after.log_before != before.log_last:
        raise BrokenSegment(where, "the log before it is another one than that of the segment before")
