"""The registry of events: (name, version) → frozen dataclass.

The name of an event is given explicitly, so a class can move to another module. Versions of a name count from
1 without a gap. Each version after the first has an upcaster from the version before. `docs/events.md` shows
how a version is added.
"""

from collections.abc import Callable
from dataclasses import dataclass, is_dataclass
from typing import Any, TypeVar

from eventlog.events.errors import UnknownEvent

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]
_Class = TypeVar("_Class", bound=type)


@dataclass(frozen=True, slots=True)
class EventType:
    """One version of an event. `upcast` converts data of the version before; it is `None` for version 1."""

    name: str
    version: int
    payload_class: type
    upcast: Upcaster | None = None


class EventRegistry:
    """Names and versions of events. The program uses `EVENTS`; tests create others."""

    def __init__(self) -> None:
        self._versions: dict[str, list[EventType]] = {}  # in order, from version 1
        self._by_class: dict[type, EventType] = {}

    def event(self, name: str, *, version: int, upcast: Upcaster | None = None) -> Callable[[_Class], _Class]:
        """Register a frozen dataclass as the payload of event `name` in `version`.

        Raises:
            ValueError: the class is not a frozen dataclass, the version exists or leaves a gap, or a version
                after the first has no upcaster.
        """

        def register(payload_class: _Class) -> _Class:
            if not is_dataclass(payload_class) or not payload_class.__dataclass_params__.frozen:  # type: ignore[attr-defined]
                raise ValueError(f"{payload_class.__qualname__} must be a frozen dataclass")
            versions = self._versions.get(name, [])
            if version != len(versions) + 1:
                raise ValueError(f"version {version} of {name} does not follow {len(versions)}")
            if (upcast is None) != (version == 1):
                raise ValueError(f"{name} version {version}: all versions but the first need an upcaster")
            kind = EventType(name, version, payload_class, upcast)
            self._versions[name] = [*versions, kind]
            self._by_class[payload_class] = kind
            return payload_class

        return register

    def type_of(self, payload: object) -> EventType:
        """The registered name and version of a payload. Raises `UnknownEvent`."""
        try:
            return self._by_class[type(payload)]
        except KeyError:
            raise UnknownEvent(type(payload).__qualname__, 0) from None

    def since(self, name: str, version: int) -> list[EventType]:
        """This version of an event and all later versions, the newest last.

        Raises:
            UnknownEvent: the name or this version is not registered.
        """
        found = self._versions.get(name, [])[version - 1 :] if version > 0 else []
        if not found:
            raise UnknownEvent(name, version)
        return found

    def all_types(self) -> list[EventType]:
        """All registered events, ordered by name and version."""
        return [kind for name in sorted(self._versions) for kind in self._versions[name]]


EVENTS = EventRegistry()
event = EVENTS.event
