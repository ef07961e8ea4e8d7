"""From loaded JSON to values of the domain; every wrong one is named, not only the first."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from credentials.application.importing import Import
from credentials.domain import values
from credentials.domain.commands import UNCHANGED, ChangeDetails
from credentials.domain.imported_names import name_prefix
from shared.contracts.credential_events import Details, Restrictions
from shared.input.docker_config import read_docker_config
from shared.input.invalid import FieldProblem, InvalidInput
from shared.input.new_secret import HttpAllowed, NewSecret, Target, read_new_secret

Body = dict[str, Any]


def added(body: Body, *, now: datetime, http_allowed: HttpAllowed) -> tuple[NewSecret, Details, Restrictions]:
    """What a body of `POST …/credentials` means. Raises `InvalidInput` with every problem."""
    target = Target(provider=body["provider"], registry_url=body["registry_url"], location=body["location"])
    parsed = _all(
        secret=lambda: read_new_secret(target, body["credential"], http_allowed=http_allowed),
        name=lambda: values.credential_name(body["name"]),
        description=lambda: values.description(body["description"]),
        scope=lambda: values.scope(**body["scope"]),
        repository_prefixes=lambda: values.repository_prefixes(body["repository_prefixes"]),
        expires_at=lambda: values.expiry(body["expires_at"], now=now),
        restrictions=lambda: values.restrictions(**body["restrictions"]),
    )
    secret, restrictions = parsed.pop("secret"), parsed.pop("restrictions")
    if secret.path_prefix and not parsed["repository_prefixes"]:
        parsed["repository_prefixes"] = (secret.path_prefix,)
    return secret, Details(**parsed), restrictions


def imported(body: Body) -> Import:
    """What a body of `POST …/imports` means."""
    parsed = _all(
        entries=lambda: read_docker_config(body["docker_config"], pointer="/docker_config"),
        scope=lambda: values.scope(**body["scope"]),
        restrictions=lambda: values.restrictions(**body["restrictions"]),
        name_prefix=lambda: name_prefix(body["name_prefix"]),
    )
    return Import(dry_run=body["dry_run"], **parsed)


def changed(body: Body, *, now: datetime) -> ChangeDetails:
    """What a body of `PATCH …/credentials/{id}` means."""
    parsers: dict[str, Callable[[], Any]] = {
        "name": lambda: values.credential_name(body["name"]),
        "description": lambda: values.description(body["description"]),
        "scope": lambda: values.scope(**body["scope"]),
        "repository_prefixes": lambda: values.repository_prefixes(body["repository_prefixes"]),
        "expires_at": lambda: values.expiry(body["expires_at"], now=now),
    }
    parsed = _all(**{name: parse for name, parse in parsers.items() if name in body})
    return ChangeDetails(**{"expires_at": UNCHANGED, **parsed})


def restricted(body: Body) -> Restrictions:
    """What a body of `PUT …/restrictions` means."""
    return values.restrictions(**body, pointer="")


def _all(**parsers: Callable[[], Any]) -> dict[str, Any]:
    parsed: dict[str, Any] = {}
    problems: list[FieldProblem] = []
    for name, parse in parsers.items():
        try:
            parsed[name] = parse()
        except InvalidInput as error:
            problems.extend(error.problems)
    values.raise_all(problems)
    return parsed
