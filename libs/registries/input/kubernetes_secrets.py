"""Finds the Docker configurations in Kubernetes Secrets, as kubectl prints them in JSON and YAML. Pure.

Texts of a file are only shown if they have the form of a name, because others could be secrets.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

SECRET_KEYS = (".dockerconfigjson", ".dockercfg")
_TYPES = frozenset({"kubernetes.io/dockerconfigjson", "kubernetes.io/dockercfg"})
_LISTS = frozenset({"List", "SecretList"})
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_KIND = re.compile(r"[A-Z][A-Za-z]{0,62}")
_TYPE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9./-]{0,251}[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class FoundSecret:
    """A Secret of a list. It has either a `config`, or the `reason` why it is left out."""

    name: str
    config: str | None
    reason: str | None


def objects_in(documents: Iterable[dict[str, Any]]) -> list[object] | None:
    """The objects of several documents or of a List; `None` for a single object, which is not a List."""
    given = list(documents)
    if len(given) == 1 and not _is_list(given[0]):
        return None
    return [each for document in given for each in (_items(document) if _is_list(document) else [document])]


def secrets_in(objects: Iterable[object]) -> Iterator[FoundSecret]:
    """Each object of a list, with its configuration or the reason why it has none."""
    for number, found in enumerate(objects, 1):
        fields = found if isinstance(found, dict) else {}
        name = _name(fields, number)
        kind, type_ = fields.get("kind"), fields.get("type")
        if kind != "Secret":
            yield FoundSecret(name, None, f"it is a {_shown(kind, _KIND, 'document')} and not a Secret")
        elif not isinstance(type_, str) or type_ not in _TYPES:
            of_type = f"its type is {_shown(type_, _TYPE, 'another one')}"
            yield FoundSecret(name, None, f"{of_type} and not kubernetes.io/dockerconfigjson")
        elif (config := config_of(fields)) is None:
            yield FoundSecret(name, None, "it does not contain .dockerconfigjson")
        else:
            yield FoundSecret(name, config, None)


def config_of(document: dict[str, Any]) -> str | None:
    """The configuration in a Secret or its data: base64 under `data`, plain text under `stringData`."""
    for holder in (document.get("stringData"), document.get("data"), document):
        if isinstance(holder, dict):
            for key in SECRET_KEYS:
                if isinstance(encoded := holder.get(key), str):
                    return encoded
    return None


def _is_list(document: dict[str, Any]) -> bool:
    kind = document.get("kind")
    return isinstance(kind, str) and kind in _LISTS


def _items(document: dict[str, Any]) -> list[object]:
    items = document.get("items")
    return items if isinstance(items, list) else []


def _name(fields: dict[str, Any], number: int) -> str:
    metadata = fields.get("metadata")
    named = metadata if isinstance(metadata, dict) else {}
    name, namespace = named.get("name"), named.get("namespace")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return f"object {number}"
    if isinstance(namespace, str) and _NAME.fullmatch(namespace):
        return f"{namespace}/{name}"
    return name


def _shown(text: object, form: re.Pattern[str], otherwise: str) -> str:
    return text if isinstance(text, str) and form.fullmatch(text) else otherwise
