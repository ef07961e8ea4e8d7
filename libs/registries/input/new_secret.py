"""A secret as it arrives, in one of five kinds, and the registry it is for: read and brought together."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from chassis.invalid_input import FieldProblem, InvalidInput
from chassis.secret import Secret
from contracts.credential_events import Registry, SecretKind
from registries.catalogue import (
    http_never_allowed,
    provider_of_host,
    registry_host_for,
    username_for,
)
from registries.errors import InvalidRegistry
from registries.input.cloud_keys import read_aws_keys, read_service_principal
from registries.input.docker_config import ConfigEntry, single_login
from registries.input.keyfile import read_keyfile
from registries.logins.cloud_keys import StoredLogin
from registries.logins.registry_login import RegistryLogin

HttpAllowed = Callable[[str], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewSecret:
    """A secret that was given, and where it logs in.

    `path_prefix` is what a key such as `gcr.io/project` of a Docker `config.json` limits it to.
    """

    registry: Registry
    kind: SecretKind
    login: StoredLogin
    path_prefix: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where the caller says that a secret logs in, as it was given."""

    provider: str
    registry_url: str | None
    location: str | None

    @classmethod
    def again(cls, registry: Registry, *, registry_url: str | None, location: str | None) -> "Target":
        """The registry of a credential, with what the caller names anew."""
        same_place = registry_url is None and location is None
        return cls(
            provider=registry.provider,
            registry_url=registry.host if same_place else registry_url,
            location=registry.location if same_place else location,
        )


def read_new_secret(target: Target, credential: Mapping[str, Any], *, http_allowed: HttpAllowed) -> NewSecret:
    """The secret of a request's `credential`, whose shape has been checked.

    Raises:
        InvalidInput: with pointers into the request's body.
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
            case _:
                registry = _registry(target, http_allowed)
                username = username_for(target.provider, "username_password", credential["username"])
                login = RegistryLogin(username=username, password=_password(credential["password"], username))
                return NewSecret(registry=registry, kind="username_password", login=login)
    except InvalidRegistry as error:
        raise InvalidInput((FieldProblem(error.pointer, error.code, error.detail),)) from None


def secret_of_entry(entry: ConfigEntry) -> NewSecret:
    """The secret of one entry that holds a login; whose registry it is for, its host says.

    Raises:
        InvalidInput: its username cannot be one at that provider.
    """
    if entry.login is None or entry.host is None:
        raise TypeError("the entry holds no login")
    target = Target(provider=provider_of_host(entry.host), registry_url=entry.host, location=None)
    try:
        return _of_entry(entry, entry.login, _registry(target, http_never_allowed))
    except InvalidRegistry as error:
        raise InvalidInput((FieldProblem(entry.pointer, error.code, error.detail),)) from None


def _from_docker_config(target: Target, document: object, http_allowed: HttpAllowed) -> NewSecret:
    entry = single_login(document)
    if entry.login is None or entry.host is None:
        raise TypeError("single_login gives an entry with host and login")
    if target.registry_url is None:
        # The file names the registry; one that does not fit the provider is refused as if it had been named.
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
    """Usernames are shown to others; one that is the secret as well was put there by mistake."""
    if password == Secret(username):
        detail = "username and secret are the same, but usernames are visible to others"
        raise InvalidInput((FieldProblem("/credential/username", "secret_in_username", detail),))
    return password


def _registry(target: Target, http_allowed: HttpAllowed) -> Registry:
    host, location = registry_host_for(
        target.provider, target.registry_url, target.location, http_allowed=http_allowed
    )
    return Registry(provider=target.provider, host=host, location=location)
