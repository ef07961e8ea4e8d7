"""What keeps a log from being verified at all. What is wrong with a log is a `chain.Fault` instead.

IntegrityError
├── MalformedExport       a line of an exported log cannot be read
├── MalformedCheckpoint   the file is no checkpoint
├── WrongSignature        the checkpoint was not signed with that key, or was changed afterwards
├── CheckpointTooEarly    verification begins behind the checkpoint, so it would prove nothing
├── NoSuchPosition        verification was to begin behind the end of the log
├── UnusableKey           the key file holds no Ed25519 key
└── KeyExists             a key file is there; it is never overwritten
"""

from pathlib import Path


class IntegrityError(Exception):
    """The log cannot be verified, for a reason that lies elsewhere."""


class MalformedExport(IntegrityError):
    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line} is none of an exported log: {reason}")
        self.line = line


class MalformedCheckpoint(IntegrityError):
    def __init__(self, reason: str) -> None:
        super().__init__(f"this is no checkpoint: {reason}")


class WrongSignature(IntegrityError):
    def __init__(self, key_id: str) -> None:
        super().__init__(
            f"the checkpoint is not signed by this public key (its own is {key_id}), or was changed"
        )
        self.key_id = key_id


class CheckpointTooEarly(IntegrityError):
    def __init__(self, position: int, start: int) -> None:
        super().__init__(
            f"the checkpoint is of position {position}; begin at {position + 1} or before, not {start}"
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
        super().__init__(f"{path} is there already; a key is never overwritten")
