"""Errors that prevent a verification. A fault of the log is a `chain.Fault`, not an error.

IntegrityError
├── MalformedExport       a line of an exported log cannot be read
├── MalformedCheckpoint   the file is not a checkpoint
├── WrongSignature        the checkpoint was not signed with this key, or was changed
├── CheckpointTooEarly    the checkpoint precedes the start of the verification, so it cannot be compared
├── NoSuchPosition        the log does not have the position at which the verification is to begin
├── UnusableKey           the key file contains no Ed25519 key
└── KeyExists             the key file exists and is not overwritten
"""

from pathlib import Path


class IntegrityError(Exception):
    """The verification cannot be done. The log itself may be intact."""


class MalformedExport(IntegrityError):
    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line} is not a line of an exported log: {reason}")
        self.line = line


class MalformedCheckpoint(IntegrityError):
    def __init__(self, reason: str) -> None:
        super().__init__(f"this is not a checkpoint: {reason}")


class WrongSignature(IntegrityError):
    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"the checkpoint was not signed with this key (it names key {key_id}), or was changed"
        )
        self.key_id = key_id


class CheckpointTooEarly(IntegrityError):
    def __init__(self, position: int, start: int) -> None:
        super().__init__(
            f"the checkpoint is of position {position}; begin at {position + 1} or before, not at {start}"
        )


class NoSuchPosition(IntegrityError):
    def __init__(self, position: int) -> None:
        super().__init__(f"the log has no position {position}")
        self.position = position


class UnusableKey(IntegrityError):
    def __init__(self, path: Path, reason: str) -> None:
        super().__init__(f"{path}: {reason}")


class KeyExists(IntegrityError):
    def __init__(self, path: Path) -> None:
        super().__init__(f"{path} exists; a key is not overwritten")
