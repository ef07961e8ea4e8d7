"""Reads YAML as Kubernetes prints it: mappings, sequences and texts, within limits.

Only the events of PyYAML's safe parser are used. So no tag creates an object, nothing is read recursively,
and an alias, which could multiply a small document, is refused before anything is built. Every scalar is a
text, or `None`: a manifest with a secret has no other values that matter here.
"""

from typing import Any

import yaml

from registries.json_document import MAX_DEPTH, UnreadableDocument

MAX_DOCUMENTS = 100
_MAX_EVENTS = 60_000
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the second one if PyYAML was built without libyaml
_MALFORMED = "this is neither valid JSON nor valid YAML, or has a duplicate key"


class _Builder:
    """The values that the events of one document describe."""

    def __init__(self) -> None:
        self._open: list[dict[str, Any] | list[Any]] = []
        self._keys: list[str | None] = []  # of each open mapping, the key whose value follows
        self.value: Any = None

    def handle(self, event: yaml.Event) -> None:
        match event:
            case yaml.AliasEvent():
                raise UnreadableDocument("malformed", "anchors and aliases of YAML are not supported")
            case yaml.MappingStartEvent():
                self._begin({}, event)
            case yaml.SequenceStartEvent():
                self._begin([], event)
            case yaml.MappingEndEvent() | yaml.SequenceEndEvent():
                self._open.pop()
                self._keys.pop()
            case yaml.ScalarEvent():
                _refuse_tag(event)
                is_null = not event.style and event.value in _NULLS
                self._add(None if is_null else event.value)
            case _:
                pass

    def _begin(self, container: dict[str, Any] | list[Any], event: yaml.NodeEvent) -> None:
        _refuse_tag(event)
        self._add(container)
        self._open.append(container)
        self._keys.append(None)
        if len(self._open) > MAX_DEPTH:
            raise UnreadableDocument("malformed", f"objects and lists may be nested at most {MAX_DEPTH} deep")

    def _add(self, value: Any) -> None:
        if not self._open:
            self.value = value
            return
        inner = self._open[-1]
        if isinstance(inner, list):
            inner.append(value)
            return
        key = self._keys[-1]
        if key is not None:
            inner[key] = value
            self._keys[-1] = None
        elif not isinstance(value, str) or value in inner:
            raise UnreadableDocument("malformed", _MALFORMED)
        else:
            self._keys[-1] = value


def read_yaml(text: str) -> list[Any]:
    """The documents of a text. Empty ones are left out.

    Raises:
        UnreadableDocument: the text is not YAML, has an anchor, alias or tag, or is too large. The detail
            contains nothing of the text.
    """
    documents: list[Any] = []
    builder = _Builder()
    try:
        for number, event in enumerate(yaml.parse(text, Loader=_LOADER)):
            if number >= _MAX_EVENTS or len(documents) > MAX_DOCUMENTS:
                raise UnreadableDocument("too_large", f"at most {MAX_DOCUMENTS} documents are read")
            if isinstance(event, yaml.DocumentStartEvent):
                builder = _Builder()
            elif isinstance(event, yaml.DocumentEndEvent):
                documents.extend([] if builder.value is None else [builder.value])
            else:
                builder.handle(event)
    except (yaml.YAMLError, UnicodeError):
        # The message of the parser would quote a part of the text, which contains secrets.
        raise UnreadableDocument("malformed", _MALFORMED) from None
    return documents


def _refuse_tag(event: yaml.NodeEvent) -> None:
    if event.anchor is not None or getattr(event, "tag", None) is not None:
        raise UnreadableDocument("malformed", "anchors, aliases and tags of YAML are not supported")
