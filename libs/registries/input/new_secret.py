"""The secret in a request, and its registry.

The schemas check the shape and turn texts into `Secret`. `read_new_secret` checks what they mean.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from marshmallow import Schema, ValidationError, fields, validate

from chassis.invalid_input import FieldProblem, InvalidInput
from chassis.secret import Secret
from contracts.credential_events import Registry, SecretKind
from registries.catalogue import (
    PROVIDERS,
    http_never_allowed,
    provider_of_host,
    registry_host_for,
    username_for,
)
from registries.errors import InvalidRegistry
from registries.input.cloud_keys import read_aws_keys, read_service_principal
from registries.input.config_entry import ConfigEntry
from registries.input.docker_config import single_login
from registries.input.keyfile import read_keyfile
from registries.logins.cloud_keys import StoredLogin
from registries.logins.registry_login import RegistryLogin

HttpAllowed = Callable[[str], bool]
MAX_SECRET = 64 * 1024


class SecretString(fields.String):
    """A text, loaded as a `Secret`."""

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
    """A JSON object, or the text of one. It contains a secret, so its content is not checked here."""

    def _deserialize(
        self,
        value: Any,
        attr: str | None,  # noqa: ARG002 the signature is that of marshmallow
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
    """A secret in one of the five kinds. `kind` selects its schema."""

    def _deserialize(
        self,
        value: Any,
        attr: str | None,  # noqa: ARG002 the signature is that of marshmallow
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


CREDENTIAL_METADATA = {
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
PROVIDER_METADATA = {"enum": [provider.id for provider in PROVIDERS]}
PROBED_IMAGE = {
    "description": "An image of this registry. After an accepted login its manifest is requested; nothing is "
    "pulled. `probe` has the result.",
    "example": "ghcr.io/acme/shop:1.4",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSecret:
    """A secret from a request, and the registry that it logs in to.

    `path_prefix` is the path in a key such as `gcr.io/project` of a Docker `config.json`. The secret is
    limited to it.
    """

    registry: Registry
    kind: SecretKind
    login: StoredLogin
    path_prefix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The registry that the caller names for a secret, as it was sent."""

    provider: str
    registry_url: str | None
    location: str | None

    @classmethod
    def of_existing(cls, registry: Registry, *, registry_url: str | None, location: str | None) -> "Target":
        """Return the registry of an existing credential as the target.

        Host and location are replaced if the caller names them.
        """
        unchanged = registry_url is None and location is None
        return cls(
            provider=registry.provider,
            registry_url=registry.host if unchanged else registry_url,
            location=registry.location if unchanged else location,
        )


def read_new_secret(target: Target, credential: Mapping[str, Any], *, http_allowed: HttpAllowed) -> NewSecret:
    """Return the secret in the `credential` of a request, whose shape was checked by `CredentialInput`.

    Raises:
        InvalidInput: with pointers into the body of the request.
    """
    try:
        match credential["kind"]:
            case "keyfile":
                username_for(target.provider, "keyfile", None)
                login = read_keyfile(credential["keyfile"])
                return NewSecret(registry=_registry(target, http_allowed), kind="keyfile", login=login)
            case "docker_config":
                return _from_docker_config(target, credential["docker_config"], http_allowed)
            case "aws_keys":
                username_for(target.provider, "aws_keys", credential["access_key_id"])
                keys = read_aws_keys(credential)
                return NewSecret(registry=_registry(target, http_allowed), kind="aws_keys", login=keys)
            case "service_principal":
                username_for(target.provider, "service_principal", credential["client_id"])
                principal = read_service_principal(credential)
                registry = _registry(target, http_allowed)
                return NewSecret(registry=registry, kind="service_principal", login=principal)
            case _:  # `username_password`, the only other kind that `CredentialInput` accepts
                registry = _registry(target, http_allowed)
                username = username_for(target.provider, "username_password", credential["username"])
                login = RegistryLogin(username=username, password=_password(credential["password"], username))
                return NewSecret(registry=registry, kind="username_password", login=login)
    except InvalidRegistry as error:
        raise InvalidInput((FieldProblem(error.pointer, error.code, error.detail),)) from None


def secret_of_entry(entry: ConfigEntry) -> NewSecret:
    """Return the secret of an entry that has a login. Its host determines the provider.

    Raises:
        InvalidInput: that provider does not accept its username.
    """
    if entry.login is None or entry.host is None:
        raise TypeError("the entry has no login")
    target = Target(provider=provider_of_host(entry.host), registry_url=entry.host, location=None)
    try:
        return _of_entry(entry, entry.login, _registry(target, http_never_allowed))
    except InvalidRegistry as error:
        raise InvalidInput((FieldProblem(entry.pointer, error.code, error.detail),)) from None


def _from_docker_config(target: Target, document: object, http_allowed: HttpAllowed) -> NewSecret:
    entry = single_login(document)
    if entry.login is None or entry.host is None:
        raise TypeError("single_login returns an entry with host and login")
    if target.registry_url is None:
        # The file names the registry. If it does not fit the provider, the error is at the entry.
        try:
            registry = _registry(replace(target, registry_url=entry.host), http_allowed)
        except InvalidRegistry as error:
            raise InvalidInput((FieldProblem(entry.pointer, error.code, error.detail),)) from None
    else:
        registry = _registry(target, http_allowed)
        if registry.host != entry.host:
            detail = f"the entry is for {entry.host}, the credential for {registry.host}"
            raise InvalidInput((FieldProblem(entry.pointer, "host_mismatch", detail),))
    return _of_entry(entry, entry.login, registry)


def _of_entry(entry: ConfigEntry, login: RegistryLogin, registry: Registry) -> NewSecret:
    username_for(registry.provider, "docker_config", login.username, pointer=entry.pointer)
    return NewSecret(registry=registry, kind="docker_config", login=login, path_prefix=entry.path_prefix)


def _password(password: Secret, username: str) -> Secret:
    """Refuse a username that equals the secret: usernames are visible to other users."""
    if password == Secret(username):
        detail = "username and secret are the same, but usernames are visible to others"
        raise InvalidInput((FieldProblem("/credential/username", "secret_in_username", detail),))
    return password


def _registry(target: Target, http_allowed: HttpAllowed) -> Registry:
    host, location = registry_host_for(
        target.provider, target.registry_url, target.location, http_allowed=http_allowed
    )
    return Registry(provider=target.provider, host=host, location=location)
