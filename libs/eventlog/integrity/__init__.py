"""Evidence that the log is intact: hash chain, signed checkpoints, exports, audit proofs (ADRs 8 and 11)."""

from eventlog.integrity.account_proof import BrokenLog, BrokenProof, Proven, verify_proof, write_proof
from eventlog.integrity.chain import START, Anchor, ChainVerification, Link, verify_chain
from eventlog.integrity.checkpoint import Checkpoint, open_checkpoint, sign_checkpoint
from eventlog.integrity.differences import Difference, difference, merge_rows
from eventlog.integrity.errors import IntegrityError, NoSuchPosition
from eventlog.integrity.export import read_export, write_export
from eventlog.integrity.keys import create_key, key_id, load_private, load_public, public_path
from eventlog.integrity.log_reader import LogReader
from eventlog.integrity.positions import position_differences, set_back_positions

__all__ = [
    "START",
    "Anchor",
    "BrokenLog",
    "BrokenProof",
    "ChainVerification",
    "Checkpoint",
    "Difference",
    "IntegrityError",
    "Link",
    "LogReader",
    "NoSuchPosition",
    "Proven",
    "create_key",
    "difference",
    "key_id",
    "load_private",
    "load_public",
    "merge_rows",
    "open_checkpoint",
    "position_differences",
    "public_path",
    "read_export",
    "set_back_positions",
    "sign_checkpoint",
    "verify_chain",
    "verify_proof",
    "write_export",
    "write_proof",
]
