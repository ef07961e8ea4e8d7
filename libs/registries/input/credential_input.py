"""The schema of the secret in a request, `credential`. The other modules of `registries.input` check the
values.
"""

from collections.abc import Mapping
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from chassis.secret import Secret
from registries.catalogue import PROVIDERS

MAX_SECRET = 64 * 1024


class SecretString(fields.String):
    """A text that becomes a `Secret`."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> Any:
        text = super()._deserialize(value, attr, data, **kwargs)
        if not text:
            raise ValidationError("A secret must not be empty.")
        if len(text) > MAX_SECRET:
            raise ValidationError("A secret may have at most 64 KiB.")
        if any(character in text for character in "\r\n\0"):
            raise ValidationError("A secret must not contain a line break. Check the text that you entered.")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise ValidationError("A secret must be valid text, without a single half of a surrogate pair.")
        return Secret(text)


class JsonDocument(fields.Field[Any]):
    """A JSON object, or the text of one. It contains a secret, so only the parsers of the domain read it."""

    def _deserialize(
        self,
        value: Any,
        attr: str | None,  # noqa: ARG002 marshmallow calls it so
        data: Mapping[str, Any] | None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> Any:
        if not isinstance(value, (dict, str)):
            raise ValidationError("Not a valid JSON object, or the text of one.")
        return value


class UsernamePasswordSchema(Schema):
    """A username with a password, token, PAT or API key."""

    kind = fields.String(required=True, validate=validate.Equal("username_password"))
    username = fields.String(load_default=None, allow_none=True)
    password = SecretString(required=True)


class KeyfileSchema(Schema):
    """A Google service account's JSON key file."""

    kind = fields.String(required=True, validate=validate.Equal("keyfile"))
    keyfile = JsonDocument(required=True)


class DockerConfigSchema(Schema):
    """A Docker `config.json` with exactly one usable entry."""

    kind = fields.String(required=True, validate=validate.Equal("docker_config"))
    docker_config = JsonDocument(required=True)


class AwsKeysSchema(Schema):
    """An access key of AWS. ECR passwords, valid for 12 hours, are created from it."""

    kind = fields.String(required=True, validate=validate.Equal("aws_keys"))
    access_key_id = fields.String(required=True)
    secret_access_key = SecretString(required=True)
    session_token = SecretString(load_default=None, allow_none=True)


class ServicePrincipalSchema(Schema):
    """An application of Microsoft Entra. Tokens that are valid for some hours are created from it."""

    kind = fields.String(required=True, validate=validate.Equal("service_principal"))
    tenant = fields.String(required=True)
    client_id = fields.String(required=True)
    client_secret = SecretString(required=True)


_KINDS: dict[str, type[Schema]] = {
    "username_password": UsernamePasswordSchema,
    "keyfile": KeyfileSchema,
    "docker_config": DockerConfigSchema,
    "aws_keys": AwsKeysSchema,
    "service_principal": ServicePrincipalSchema,
}


class CredentialInput(fields.Field[dict[str, Any]]):
    """A secret of one of the kinds. Its field `kind` names the kind."""

    def _deserialize(
        self,
        value: Any,
        attr: str | None,  # noqa: ARG002 marshmallow calls it so
        data: Mapping[str, Any] | None,  # noqa: ARG002
        **kwargs: Any,  # noqa: ARG002
    ) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ValidationError("Not a valid object.")
        kind = value.get("kind")
        schema = _KINDS.get(kind) if isinstance(kind, str) else None
        if schema is None:
            raise ValidationError({"kind": [f"Must be one of: {', '.join(_KINDS)}."]})
        loaded: dict[str, Any] = schema().load(value)
        return loaded


CREDENTIAL = {
    "description": "One of five kinds.",
    "oneOf": [
        {
            "type": "object",
            "required": ["kind", "password"],
            "properties": {
                "kind": {"const": "username_password"},
                "username": {"type": "string"},
                "password": {"type": "string", "format": "password"},
            },
        },
        {
            "type": "object",
            "required": ["kind", "keyfile"],
            "properties": {"kind": {"const": "keyfile"}, "keyfile": {"type": ["object", "string"]}},
        },
        {
            "type": "object",
            "required": ["kind", "docker_config"],
            "properties": {
                "kind": {"const": "docker_config"},
                "docker_config": {"type": ["object", "string"]},
            },
        },
        {
            "type": "object",
            "required": ["kind", "access_key_id", "secret_access_key"],
            "properties": {
                "kind": {"const": "aws_keys"},
                "access_key_id": {"type": "string"},
                "secret_access_key": {"type": "string", "format": "password"},
                "session_token": {"type": ["string", "null"], "format": "password"},
            },
        },
        {
            "type": "object",
            "required": ["kind", "tenant", "client_id", "client_secret"],
            "properties": {
                "kind": {"const": "service_principal"},
                "tenant": {"type": "string"},
                "client_id": {"type": "string"},
                "client_secret": {"type": "string", "format": "password"},
            },
        },
    ],
}
PROVIDER = {"enum": [provider.id for provider in PROVIDERS]}
PROBED_IMAGE = {
    "description": "An image of this registry. After an accepted login its manifest is requested; nothing is "
    "pulled. `probe` has the result.",
    "example": "ghcr.io/acme/shop:1.4",
}
