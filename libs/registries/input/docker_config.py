"""Reads Docker's config.json, and the forms in which Kubernetes stores it.

    {"auths": {KEY: ENTRY}}                           config.json; also `kubernetes.io/dockerconfigjson`
    {KEY: ENTRY}                                      legacy ~/.dockercfg; also `kubernetes.io/dockercfg`
    {"kind": "Secret", "data"|"stringData": ...}      a Secret's manifest, or its `data` alone
    {"kind": "List", "items": [SECRET, ...]}          several Secrets; also as documents of a YAML file

ENTRY is `auth` (base64 of `user:password`), or `username` with `password`, or `identitytoken`, an OAuth
refresh token. It is read as Docker and Kubernetes clients read it; forms that these read differently are
refused. No program is run: `credsStore` and `credHelpers` name programs on the machine of the file, and their
entries contain no secret.

Manifests are JSON or YAML. Of a list, Secrets of other types are left out, each with a reason.

Reasons and problems contain nothing of the file except keys that are names of hosts.
"""

from dataclasses import dataclass, replace
from typing import Any

from chassis.invalid_input import FieldProblem, InvalidInput
from registries.input.config_entry import (
    IN_HELPER,
    LOGIN_FIELDS,
    ConfigEntry,
    Source,
    read_entry,
    reconciled,
)
from registries.input.kubernetes_secrets import FoundSecret, config_of, objects_in, secrets_in
from registries.json_document import MAX_BYTES, UnreadableDocument, decode_base64, read_object
from registries.yaml_documents import read_yaml

MAX_ENTRIES = 100

_POINTER = "/credential/docker_config"


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """The entries of a file in their order, and the objects of a list of Secrets that have none."""

    entries: tuple[ConfigEntry, ...]
    left_out: tuple[FoundSecret, ...] = ()


def read_config_file(value: object, *, pointer: str = _POINTER) -> ConfigFile:
    """All entries of a Docker configuration in their order, usable or not.

    `value` is one of the forms above, as an object, as text, or as base64 of its text. There is at least one
    entry, or an object that is left out. If several entries of a configuration are for the same repositories,
    one of them is usable if all have the same login. If the logins differ, none is usable, because clients
    differ on which one they use. Secrets may have different users for the same repositories.

    Raises:
        InvalidInput: the value has none of the forms. Codes: `invalid_type, too_large, malformed, no_entries,
            too_many`.
    """
    try:
        documents = _documents(value)
        objects = objects_in(documents)
        if objects is None:
            file = ConfigFile(_entries(documents[0], pointer, inside=not isinstance(value, str)))
        else:
            file = _of_secrets(objects, pointer)
    except UnreadableDocument as refusal:
        raise _invalid(pointer, refusal.code, refusal.detail) from None
    if len(file.entries) > MAX_ENTRIES:
        raise _invalid(pointer, "too_many", f"the file may have at most {MAX_ENTRIES} entries")
    return file


def read_docker_config(value: object, *, pointer: str = _POINTER) -> tuple[ConfigEntry, ...]:
    """The entries of `read_config_file`; there is at least one.

    Raises:
        InvalidInput: as `read_config_file`, also `no_entries` if all Secrets of a list are left out.
    """
    file = read_config_file(value, pointer=pointer)
    if not file.entries:
        raise _invalid(pointer, "no_entries", f"{file.left_out[0].name}: {file.left_out[0].reason}")
    return file.entries


def single_login(value: object, *, pointer: str = _POINTER) -> ConfigEntry:
    """The entry of a Docker configuration that has a login. There may be further entries without one.

    Raises:
        InvalidInput: `several_logins`; `no_usable_login` for each entry, with its reason; and what
            `read_docker_config` raises.
    """
    entries = read_docker_config(value, pointer=pointer)
    usable = [entry for entry in entries if entry.login is not None]
    if len(usable) == 1:
        return usable[0]
    if usable:
        detail = f"{len(usable)} entries have a login, but a credential has one; import the file to add all"
        raise _invalid(pointer, "several_logins", detail)
    raise InvalidInput(
        tuple(
            FieldProblem(entry.pointer, "no_usable_login", f"{entry.key}: {entry.reason}")
            for entry in entries
        )
    )


def _documents(value: object) -> list[dict[str, Any]]:
    """The documents of a value: several only of YAML. Raises `UnreadableDocument`."""
    if not isinstance(value, str):
        return [read_object(value)]
    text = value.strip().removeprefix("\ufeff")
    if text.startswith("{") or decode_base64(text) is not None:
        return [read_object(value)]
    if len(text) > MAX_BYTES:
        raise UnreadableDocument("too_large", f"the document may have at most {MAX_BYTES} bytes")
    documents = read_yaml(text)
    if not documents or any(isinstance(document, str) for document in documents):
        raise UnreadableDocument("malformed", "this is neither valid JSON nor a manifest in YAML")
    return [read_object(document) for document in documents]


def _of_secrets(objects: list[object], pointer: str) -> ConfigFile:
    """The entries of several Secrets. Raises `UnreadableDocument` if there is none."""
    if not objects:
        raise UnreadableDocument("no_entries", "there is no Secret in the list")
    entries: list[ConfigEntry] = []
    left_out: list[FoundSecret] = []
    for secret in secrets_in(objects):
        if secret.config is None:
            left_out.append(secret)
            continue
        try:
            found = _entries(read_object(secret.config), pointer, inside=False)
        except UnreadableDocument as refusal:
            left_out.append(FoundSecret(secret.name, None, f"its configuration: {refusal.detail}"))
            continue
        entries.extend(replace(entry, key=f"{secret.name}: {entry.key}") for entry in found)
    return ConfigFile(reconciled(entries, by_username=True), tuple(left_out))


def _entries(document: dict[str, Any], pointer: str, *, inside: bool) -> tuple[ConfigEntry, ...]:
    """The entries of one configuration or Secret. Raises `UnreadableDocument` if there is none."""
    source = _source(document, pointer, inside=inside)
    keys = list(source.auths) + [key for key in source.helpers if key not in source.auths]
    if not keys:
        detail = IN_HELPER if source.has_store else "there is no entry under auths"
        raise UnreadableDocument("no_entries", detail)
    if len(keys) > MAX_ENTRIES:
        raise UnreadableDocument("too_many", f"the file may have at most {MAX_ENTRIES} entries")
    return reconciled([read_entry(source, key, number) for number, key in enumerate(keys, 1)])


def _source(document: dict[str, Any], pointer: str, *, inside: bool) -> Source:
    encoded = config_of(document)
    if encoded is not None:
        document, inside = read_object(encoded), False
    elif document.get("kind") == "Secret":
        raise UnreadableDocument("no_entries", "this Secret does not contain .dockerconfigjson")
    if "auths" in document:
        auths = document["auths"] or {}
        if not isinstance(auths, dict):
            raise UnreadableDocument("invalid_type", "auths: must be an object")
        entries_pointer = f"{pointer}/auths" if inside else pointer
    else:
        auths = {
            key: fields
            for key, fields in document.items()
            if isinstance(fields, dict) and any(name in fields for name in LOGIN_FIELDS)
        }
        entries_pointer = pointer
    helpers = document.get("credHelpers")
    if not isinstance(helpers, dict):
        helpers = {}
    return Source(auths, helpers, bool(document.get("credsStore")), entries_pointer, inside)


def _invalid(pointer: str, code: str, detail: str) -> InvalidInput:
    return InvalidInput((FieldProblem(pointer, code, detail),))
