"""What is said of a provider of registries: the shape of the catalogue's entries."""

import re
from dataclasses import dataclass
from typing import Literal

from contracts.credential_events import SecretKind

RegistryUrlRule = Literal["fixed", "optional", "required"]
UsernameRuleName = Literal["required", "fixed", "default"]


@dataclass(frozen=True, slots=True)
class Location:
    """A place that a provider serves from; `host` is the registry's host there."""

    id: str
    name: str
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UsernameRule:
    """What goes with the kind `username_password`; a key file's username is always `_json_key`.

    `required`: the caller names it. `fixed`: it is `allowed[0]`, and may be left out. `default`: it is one of
    `allowed`, the first where it is left out.
    """

    rule: UsernameRuleName
    label: str
    help: str
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """An entry of the catalogue.

    `hosts`: where its registries are, the usual one first; `<...>` stands for a part that differs.
    `registry_url`: `fixed`, the host follows from the provider and the location; `optional`, the first host
    unless another is named (self-hosted); `required`.
    `aliases`: hosts that are taken for the first of `hosts`.
    `host_pattern`: what a named host has to look like, `host_rule` says it in words.
    `image_path`: the form of its images' references. `expiry`: whether and when its secrets end. `quirks`:
    what people stumble over, a sentence each.
    """

    id: str
    name: str
    hosts: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    locations: tuple[Location, ...] = ()
    registry_url: RegistryUrlRule
    host_pattern: re.Pattern[str] | None = None
    host_rule: str = ""
    secret_kinds: tuple[SecretKind, ...] = ("username_password", "docker_config")
    username: UsernameRule
    image_path: str
    permission: str
    expiry: str
    help: str
    quirks: tuple[str, ...] = ()
    docs_url: str
