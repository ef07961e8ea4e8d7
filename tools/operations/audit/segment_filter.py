"""The filters of the API for the rows of an archived segment, with the same names and meaning. Pure."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from contracts.actions import ACTIONS
from contracts.audit_events import AuditFilters
from projector.archive.manifest import Manifest
from registries.errors import InvalidHost, InvalidReference
from registries.image_filter import canonical_filter, image_filter
from registries.whole_registry import WholeRegistry


class InvalidFilter(ValueError):
    """A filter is not one that the API accepts. The message is for the user."""


class _Actor(msgspec.Struct):
    id: str


class _Row(msgspec.Struct):
    """The fields that filters compare. A line has more fields."""

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


def filters_of(wanted: Mapping[str, Any]) -> AuditFilters:
    """Return the filters from the options of a command, with registry and image in any spelling.

    As in the API, `since` is inclusive, and `until` and `after` are exclusive.

    Raises:
        InvalidFilter: an action, a registry or an image is invalid.
    """
    moments = {name: _moment(wanted[name]) for name in ("since", "until")}
    action, host, image = (wanted[name] for name in ("action", "registry_host", "image"))
    if action is not None and action not in ACTIONS:
        raise InvalidFilter(f"--action must be one of {', '.join(ACTIONS)}")
    try:
        host = None if host is None else WholeRegistry.parse(host).registry_host
        image = None if image is None else canonical_filter(image)
    except (InvalidHost, InvalidReference) as error:
        raise InvalidFilter(error.detail) from None
    return AuditFilters(**{**wanted, **moments, "registry_host": host, "image": image})


def may_match(manifest: Manifest, filters: AuditFilters) -> bool:
    """Whether a segment can have rows that match."""
    earliest, latest = _moment(manifest.earliest), _moment(manifest.latest)
    return (
        (filters.after is None or filters.after < manifest.last_position)
        and (filters.since is None or latest is None or filters.since <= latest)
        and (filters.until is None or earliest is None or filters.until > earliest)
    )


def matches(line: bytes, filters: AuditFilters) -> bool:
    """Whether the row of a line matches."""
    row = _decode(line)
    return (
        (filters.since is None or row.time >= filters.since)
        and (filters.until is None or row.time < filters.until)
        and (filters.after is None or row.position > filters.after)
        and (filters.image is None or any(map(image_filter(filters.image).finds, row.images)))
        and _same(filters.action, row.action)
        and _same(filters.outcome, row.outcome)
        and _same(filters.actor, row.actor.id)
        and _same(filters.credential_id, row.credential_id)
        and _same(filters.project_id, row.project_id)
        and _same(filters.registry_host, row.registry_host)
        and _same(filters.request_id, row.request_id)
    )


def _same(wanted: object, value: object) -> bool:
    return wanted is None or wanted == value


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
