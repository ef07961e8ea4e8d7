"""The kinds of secrets that a provider takes, as forms ask for them."""

from registries.provider import Provider
from registries.secret_kinds import BY_KIND, SecretField, SecretKindForm


def forms_of(provider: Provider) -> list[dict[str, object]]:
    """The kinds that a provider takes, as `GET /v1/providers` answers them; a username is as its rule is."""
    return [_form(BY_KIND[kind], provider) for kind in provider.secret_kinds]


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
