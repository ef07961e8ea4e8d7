"""The manifest of a segment of the audit trail (ADR 15).

It names the rows of the segment, their positions, and the previous segment. The functions are pure.

The key of the log's checkpoints signs the JSON of the manifest with an empty `signature`, without a line
feed. Verification accepts a manifest only byte for byte as it was written, so not even a space can be
changed.
"""

import base64
from hashlib import sha256
from urllib.parse import quote

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from eventlog.integrity import key_id
from projector.write.archived_segments import segment_name

FORMAT = "regcred-audit-segment-1"
NONE_BEFORE = bytes(32)  # `previous` of the first segment


class BrokenSegment(Exception):
    """A file is not the one that was archived. `where` names the file."""

    def __init__(self, where: str, reason: str) -> None:
        super().__init__(f"{where}: {reason}")
        self.where = where
        self.reason = reason


class SegmentFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The file with the rows of one account. `bytes` and `sha256` are those of the compressed file.

    `news` is the number of rows other than `audit.sealed`. An event `audit.sealed` is only written for
    accounts that have such rows. Otherwise the event about a segment would itself cause an event about the
    next segment.
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

    `lacking` are positions without a row in the audit trail. `earliest` and `latest` are times of rows.
    `log_before` and `log_last` are the hashes of the log (ADR 8) at the position before the first one and at
    the last one. `previous` is the SHA-256 of the manifest of the previous segment.
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
    """The name of the file of an account. Quoting prevents names outside of the folder."""
    return quote(account_id, safe="") + ".ndjson.gz"


def digest_of(document: bytes) -> bytes:
    """The digest of a manifest, which the next manifest has as `previous`."""
    return sha256(document).digest()


def sign_manifest(manifest: Manifest, key: Ed25519PrivateKey) -> Manifest:
    unsigned = msgspec.structs.replace(manifest, key_id=key_id(key.public_key()), signature="")
    signature = base64.b64encode(key.sign(unsigned.signed())).decode()
    return msgspec.structs.replace(unsigned, signature=signature)


def open_manifest(document: bytes, key: Ed25519PublicKey, *, where: str) -> Manifest:
    """Decode a manifest and verify its signature. `where` names it in errors.

    Raises:
        BrokenSegment: it is not a manifest, was changed, or was not signed with this key.
    """
    try:
        manifest = msgspec.json.decode(document, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise BrokenSegment(where, "it is not a manifest, or was changed") from None
    if manifest.format != FORMAT:
        raise BrokenSegment(where, f"its format is {manifest.format!r}, not {FORMAT!r}")
    if manifest.encoded() != document:
        raise BrokenSegment(where, "its JSON has another form than when it was written")
    try:
        signature = base64.b64decode(manifest.signature, validate=True)
        key.verify(signature, manifest.signed())
    except (ValueError, InvalidSignature):
        detail = f"not signed with this key (it names key {manifest.key_id}), or changed"
        raise BrokenSegment(where, detail) from None
    if base64.b64encode(signature).decode() != manifest.signature:
        raise BrokenSegment(where, "the signature has another base64 form")
    return manifest


def follows(before: Manifest, digest: bytes, after: Manifest, *, where: str) -> None:
    """Check that segment `after` follows `before`. `digest` is that of the manifest of `before`.

    Raises:
        BrokenSegment: it does not follow.
    """
    if after.first_position != before.last_position + 1:
        expected = before.last_position + 1
        raise BrokenSegment(
            where, f"position {expected} is expected next, the segment begins at {after.first_position}"
        )
    if after.previous != digest.hex():
        raise BrokenSegment(where, "the previous segment is not the one that it was archived after")
    if after.log_before != before.log_last:
        raise BrokenSegment(where, "the log before it is not that of the previous segment")
