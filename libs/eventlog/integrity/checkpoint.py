"""Signed checkpoints: a statement that the log had a hash at a position.

A checkpoint that is stored separately from the database reveals even a log that was written again from the
beginning.
"""

import base64
from dataclasses import dataclass
from datetime import datetime

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from chassis.runtime.clock import rfc3339
from eventlog.integrity.chain import Anchor
from eventlog.integrity.errors import MalformedCheckpoint, WrongSignature
from eventlog.integrity.keys import key_id

FORMAT = "regcred-checkpoint-1"
_HASH_BYTES = 32


class _Document(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    position: int
    hash: str
    time: str
    key_id: str
    signature: str

    def signed(self) -> bytes:
        return "\n".join((self.format, str(self.position), self.hash, self.time, self.key_id)).encode()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A checkpoint whose signature was verified. `time` is the time of the signature, RFC 3339."""

    anchor: Anchor
    time: str
    key_id: str


def sign_checkpoint(anchor: Anchor, key: Ed25519PrivateKey, *, time: datetime) -> bytes:
    """Sign an anchor. Returns the checkpoint as a JSON document that ends in a line feed."""
    unsigned = _Document(
        format=FORMAT,
        position=anchor.position,
        hash=anchor.hash.hex(),
        time=rfc3339(time),
        key_id=key_id(key.public_key()),
        signature="",
    )
    signature = base64.b64encode(key.sign(unsigned.signed())).decode()
    document = msgspec.structs.replace(unsigned, signature=signature)
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


def open_checkpoint(document: bytes, key: Ed25519PublicKey) -> Checkpoint:
    """Verify the signature of a checkpoint and decode it.

    Raises:
        MalformedCheckpoint, WrongSignature.
    """
    try:
        read = msgspec.json.decode(document, type=_Document)
        signature = base64.b64decode(read.signature, validate=True)
        digest = bytes.fromhex(read.hash)
    except (msgspec.MsgspecError, ValueError) as error:
        raise MalformedCheckpoint(str(error)) from None
    if read.format != FORMAT:
        raise MalformedCheckpoint(f"its format is {read.format!r}, not {FORMAT!r}")
    try:
        key.verify(signature, read.signed())
    except InvalidSignature:
        raise WrongSignature(read.key_id) from None
    if len(digest) != _HASH_BYTES or read.position < 0:
        raise MalformedCheckpoint("position or hash cannot be those of a log")
    return Checkpoint(Anchor(read.position, digest), read.time, read.key_id)
