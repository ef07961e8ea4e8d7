"""Parsers of the values of the domain. Parsed values are valid everywhere else.

Each parser raises `InvalidInput` with the JSON pointer of the invalid value.

    name    3 to 39 characters: a letter, then letters, digits, single spaces or hyphens; it ends with a
            letter or digit
    id      of an account or project: [A-Za-z0-9][A-Za-z0-9-]{0,62}
    prefix  of a repository: lower-case path components as in an image reference, joined by `/`, with or
            without a trailing `/`; the host of the registry before it is removed
"""

import re
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from chassis.ids import is_platform_id
from chassis.invalid_input import FieldProblem, InvalidInput
from contracts.credential_events import MAX_PREFIXES, MAX_PROJECTS, Details, Restrictions, Scope
from registries.errors import InvalidPrefix
from registries.input.repository_prefix import read_prefix

MAX_NAME = 39
MAX_DESCRIPTION = 500
MAX_REASON = 500

_NAME = re.compile(r"[A-Za-z](?:[ -]?[A-Za-z0-9]){1,38}")
_NAME_LENGTH = range(3, MAX_NAME + 1)
_PROJECT = "1 to 63 letters, digits or hyphens, not a hyphen first"


def credential_name(text: str, pointer: str = "/name") -> str:
    if len(text) not in _NAME_LENGTH or not _NAME.fullmatch(text):
        raise _problem(
            pointer,
            "invalid_name",
            "3 to 39 characters: a letter first, then letters, digits, single spaces or hyphens",
        )
    return text


def description(text: str, pointer: str = "/description") -> str:
    if len(text) > MAX_DESCRIPTION:
        raise _problem(pointer, "too_long", f"at most {MAX_DESCRIPTION} characters")
    if any(not character.isprintable() and character != "\n" for character in text):
        raise _problem(pointer, "invalid_characters", "control characters are not allowed")
    return text


def reason(text: str | None, pointer: str = "/reason") -> str | None:
    """The reason of a change, for the audit trail."""
    if text is None:
        return None
    if len(text) > MAX_REASON or not text.isprintable():
        raise _problem(pointer, "invalid_reason", f"one line of at most {MAX_REASON} characters")
    if text and not text.strip():
        raise _problem(pointer, "invalid_reason", "a reason has more than spaces")
    return text or None


def required_reason(text: str, pointer: str = "/reason") -> str:
    """The reason of a change that must have one."""
    found = reason(text, pointer)
    if found is None:
        raise _problem(pointer, "required", "say why, for the audit trail")
    return found


def scope(*, pull: bool, push: bool, pointer: str = "/scope") -> Scope:
    if not pull and not push:
        raise _problem(pointer, "empty_scope", "a credential is for pulling, pushing or both")
    return Scope(pull=pull, push=push)


def repository_prefixes(
    prefixes: Sequence[str], registry_host: str | None, pointer: str = "/repository_prefixes"
) -> tuple[str, ...]:
    """Return prefixes sorted, without duplicates and the host of the registry (`None`: it is not valid).

    No prefix means every repository of the registry.
    """
    if len(prefixes) > MAX_PREFIXES:
        raise _problem(pointer, "too_many", f"at most {MAX_PREFIXES} prefixes")
    parsed: set[str] = set()
    problems: list[FieldProblem] = []
    for index, prefix in enumerate(prefixes):
        try:
            parsed.add(read_prefix(prefix, registry_host))
        except InvalidPrefix as error:
            problems.append(FieldProblem(f"{pointer}/{index}", error.code, error.detail))
    raise_all(problems)
    return tuple(sorted(parsed))


def check_prefixes(details: Details, registry_host: str) -> None:
    """Refuse another registry for a credential whose stored prefixes begin with a host there.

    Raises:
        InvalidInput: `other_registry` at `/registry_url`.
    """
    prefixes = details.repository_prefixes
    try:
        unchanged = repository_prefixes(prefixes, registry_host) == prefixes
    except InvalidInput:
        unchanged = False
    if not unchanged:
        detail = f"repository_prefixes of the credential begin with a host, but are used at {registry_host}"
        raise _problem("/registry_url", "other_registry", detail)


def restrictions(
    *, restricted: bool, projects: Sequence[str], pointer: str = "/restrictions"
) -> Restrictions:
    """Return projects sorted, without duplicates. Restricted without projects: no project may use it."""
    if not restricted and projects:
        raise _problem(f"{pointer}/projects", "not_restricted", "projects are named, but restricted is false")
    if len(projects) > MAX_PROJECTS:
        raise _problem(f"{pointer}/projects", "too_many", f"at most {MAX_PROJECTS} projects")
    problems = [
        FieldProblem(
            f"{pointer}/projects/{index}",
            "invalid_project",
            _PROJECT,
        )
        for index, project in enumerate(projects)
        if not is_platform_id(project)
    ]
    if problems:
        raise InvalidInput(tuple(problems))
    return Restrictions(restricted=restricted, projects=tuple(sorted(set(projects))))


def expiry(moment: datetime | None, *, now: datetime, pointer: str = "/expires_at") -> datetime | None:
    """The expiry of the secret, which must be in the future when it is entered."""
    if moment is not None and moment <= now:
        raise _problem(pointer, "in_the_past", "the secret would have expired already")
    return moment


def project_id(text: str, pointer: str = "/project_id") -> str:
    if not is_platform_id(text):
        raise _problem(pointer, "invalid_project", _PROJECT)
    return text


def parse_all(**parsers: Callable[[], Any]) -> dict[str, Any]:
    """Return the results of all parsers by name. Raises `InvalidInput` with every problem."""
    parsed: dict[str, Any] = {}
    problems: list[FieldProblem] = []
    for name, parse in parsers.items():
        try:
            parsed[name] = parse()
        except InvalidInput as error:
            problems.extend(error.problems)
    raise_all(problems)
    return parsed


def raise_all(problems: Iterable[FieldProblem]) -> None:
    """Raise `InvalidInput` with these problems, if there are any."""
    found = tuple(problems)
    if found:
        raise InvalidInput(found)


def _problem(pointer: str, code: str, detail: str) -> InvalidInput:
    return InvalidInput((FieldProblem(pointer, code, detail),))
