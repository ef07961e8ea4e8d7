"""The filters of the API, for the rows of a sealed segment: the same names, the same meaning. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from shared.integrity.segment import Manifest
from shared.registries.image_reference import one_spelling


class _Actor(msgspec.Struct):
    id: str


class _Row(msgspec.Struct):
    """What is compared; a line has more."""

    position: int
    time: datetime
    action: str
    outcome: str
    actor: _Actor
    credential_id: UUID | None
    project_id: str | None
    registry_host: str | None
    images: list[str]
    request_id: str


_decode = msgspec.json.Decoder(_Row).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentFilter:
    """`None` does not filter. `since` is included, `until` and `after` are not."""

    since: datetime | None = None
    until: datetime | None = None
    after: int | None = None
    action: str | None = None
    outcome: str | None = None
    actor: str | None = None
    credential_id: UUID | None = None
    project_id: str | None = None
    registry_host: str | None = None
    image: str | None = None
    request_id: str | None = None

    @classmethod
    def of(cls, wanted: Mapping[str, Any]) -> "SegmentFilter":
        """Moments are given in RFC 3339, an image in any spelling."""
        moments = {name: _moment(wanted[name]) for name in ("since", "until")}
        image = wanted["image"]
        return cls(**{**wanted, **moments, "image": None if image is None else one_spelling(image)})

    def may_be_in(self, manifest: Manifest) -> bool:
        """Whether a segment can have rows that come through."""
        earliest, latest = _moment(manifest.earliest), _moment(manifest.latest)
        return (
            (self.after is None or self.after < manifest.last_position)
            and (self.since is None or latest is None or self.since <= latest)
            and (self.until is None or earliest is None or self.until > earliest)
        )

    def lets_through(self, line: bytes) -> bool:
        row = _decode(line)
        return (
            (self.since is None or row.time >= self.since)
            and (self.until is None or row.time < self.until)
            and (self.after is None or row.position > self.after)
            and (self.image is None or self.image in row.images)
            and _same(self.action, row.action)
            and _same(self.outcome, row.outcome)
            and _same(self.actor, row.actor.id)
            and _same(self.credential_id, row.credential_id)
            and _same(self.project_id, row.project_id)
            and _same(self.registry_host, row.registry_host)
            and _same(self.request_id, row.request_id)
        )


def _same(wanted: object, value: object) -> bool:
    return wanted is None or wanted == value


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
