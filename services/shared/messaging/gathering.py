"""A connection to the broker that can send many frames at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pika


class GatheringConnection(pika.SelectConnection):  # type: ignore[misc]  # pika has no types
    """pika's, but for `in_one_piece`. Without it every frame is a system call, and a packet, of its own, and
    a message is three frames. `_adapter_emit_data` is what pika asks of whoever makes an adapter.
    """

    def __init__(self, *arguments: Any, **named: Any) -> None:
        self._gathered: list[bytes] | None = None
        super().__init__(*arguments, **named)

    @contextmanager
    def in_one_piece(self) -> Iterator[None]:
        """Send at its end what is written in it; in the connection's thread."""
        frames: list[bytes] = []
        self._gathered = frames
        try:
            yield
        finally:
            self._gathered = None
            if frames:
                self._adapter_emit_data(b"".join(frames))

    def _adapter_emit_data(self, data: bytes) -> None:
        if self._gathered is None:
            super()._adapter_emit_data(data)
        else:
            self._gathered.append(data)
