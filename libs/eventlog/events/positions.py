"""Positions are dense, so that it can be counted up to where everything is done."""


class ContiguousPrefix:
    """The highest position before which, and at which, everything is done."""

    def __init__(self, position: int) -> None:
        self.position = position
        self._done: set[int] = set()

    def done(self, position: int) -> None:
        self._done.add(position)
        while self.position + 1 in self._done:
            self.position += 1
            self._done.remove(self.position)
