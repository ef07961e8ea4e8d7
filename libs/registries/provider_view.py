"""Providers in the form in which the API returns them."""

from typing import Any

from registries.provider import Provider
from registries.secret_kinds import BY_KIND, SecretField, SecretKindForm


def to_public(entry: Provider) -> dict[str, Any]:
    """The provider as `GET /v1/providers` returns it: text, lists and objects only.

    `username.values` are the allowed usernames, the default first; it is empty if all are allowed. `secrets`
    has the fields of each kind of secret, for forms.
    """
    return {
        "id": entry.id,
        "name": entry.name,
        "hosts": list(entry.hosts),
        "aliases": list(entry.aliases),
        "locations": [
            {"id": location.id, "name": location.name, "host": location.host} for location in entry.locations
        ],
        "registry_url": entry.registry_url,
        "secret_kinds": list(entry.secret_kinds),
        "secrets": [_form(BY_KIND[kind], entry) for kind in entry.secret_kinds],
        "username": {
            "rule": entry.username.rule,
            "label": entry.username.label,
            "help": entry.username.help,
            "values": list(entry.username.allowed),
        },
        "image_path": entry.image_path,
        "permission": entry.permission,
        "expiry": entry.expiry,
        "help": entry.help,
        "quirks": list(entry.quirks),
        "docs_url": entry.docs_url,
    }


def _form(kind: SecretKindForm, provider: Provider) -> dict[str, object]:
    return {
        "kind": kind.id,
        "name": kind.name,
        "help": kind.help,
        "fields": [_field(field, provider) for field in kind.fields],
    }


def _field(field: SecretField, provider: Provider) -> dict[str, object]:
    rule = provider.username if field.name == "username" else None
    return {
        "name": field.name,
        "label": rule.label if rule else field.label,
        "help": rule.help if rule else field.help,
        "secret": field.secret,
        "required": rule.rule == "required" if rule else field.required,
        "document": field.document,
        "values": list(rule.allowed) if rule else [],
    }
