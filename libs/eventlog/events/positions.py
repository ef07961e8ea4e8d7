"""Tracks which of many concurrent events are handled. Positions are dense, so they can be counted."""


class ContiguousPrefix:
    """The highest position up to which every event is handled."""

    def __init__(self, position: int) -> None:
        self.position = position
        self._done: set[int] = set()

    def done(self, position: int) -> None:
        self._done.add(position)
        while self.position + 1 in self._done:
            self.position += 1
            self._done.remove(self.position)
