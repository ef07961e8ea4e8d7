"""The work of `regcred audit proof` and `regcred audit verify` (ADR 11)."""

import json
import os
from dataclasses import dataclass
from pathlib import Path

from chassis.runtime.clock import now
from chassis.settings.environment import Settings
from eventlog.integrity import (
    BrokenLog,
    BrokenProof,
    LogReader,
    Proven,
    load_private,
    load_public,
    verify_proof,
    write_proof,
)
from operations.command_errors import CheckInconclusive
from operations.log.database import log_database
from operations.log.maintenance import public_key_file, reported_errors
from regcred.cli.files import replacing


@dataclass(frozen=True, slots=True)
class ProofReport:
    """The result of a proof: the proven events, or what is broken."""

    proven: Proven | None
    broken: str | None = None

    @property
    def intact(self) -> bool:
        return self.proven is not None

    def as_json(self) -> str:
        document: dict[str, object] = {"intact": self.intact, "broken": self.broken}
        if self.proven is not None:
            document |= {
                "account_id": self.proven.account_id,
                "events": self.proven.events,
                "head": self.proven.head.hex(),
                "log_position": self.proven.log.position,
                "log_hash": self.proven.log.hash.hex(),
                "time": self.proven.time,
                "key_id": self.proven.key_id,
            }
        return json.dumps(document, indent=2)

    def as_text(self) -> str:
        if self.proven is None:
            return f"broken: {self.broken}"
        proven = self.proven
        return (
            f"intact: all {proven.events} events of {proven.account_id} up to position {proven.log.position}"
            f" of the log\nas signed by {proven.key_id} at {proven.time}"
        )


def prove(account_id: str, output: Path, key_file: Path | None) -> ProofReport:
    """Write a proof to `output`. If the log is broken, no file is written."""
    with reported_errors():
        settings = Settings.from_environment(os.environ)
        key = load_private(key_file or settings.home / "log-key.pem")
        try:
            with log_database(settings) as url, LogReader.snapshot(url) as reader, replacing(output) as file:
                proven = write_proof(
                    reader.links(0),
                    account_id,
                    file,
                    key=key,
                    time=now(),
                    outside_chain=reader.fault_outside_chain,
                )
        except BrokenLog as error:
            return ProofReport(None, str(error))
    return ProofReport(proven)


def check(file: Path, public_key: Path | None, key_file: Path | None, earlier: Path | None) -> ProofReport:
    """Verify a proof. With `earlier`, also verify that it continues that proof."""
    with reported_errors():
        key = load_public(public_key or public_key_file(key_file))
        before = None
        if earlier is not None:
            try:
                with earlier.open("rb") as lines:
                    before = verify_proof(lines, key)
            except BrokenProof as error:
                raise CheckInconclusive(f"the earlier proof is broken: {error}") from None
        try:
            with file.open("rb") as lines:
                return ProofReport(verify_proof(lines, key, earlier=before))
        except BrokenProof as error:
            return ProofReport(None, str(error))
