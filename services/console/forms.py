"""A form of a page: what was typed, without any secret, and what the API says against it, field by field."""

import re
from dataclasses import dataclass, field
from secrets import token_urlsafe
from typing import Any

from flask import request

from regcred.apiclient.errors import ApiError

# What never goes back into a page; who sends a form again types these again.
SECRETS = frozenset(
    {
        "password",
        "keyfile",
        "docker_config",
        "secret_access_key",
        "session_token",
        "client_secret",
        "token",
        "csrf",
    }
)

_OUTER = frozenset({"credential", "restrictions"})  # steps of a pointer that are no fields of a form
_SEPARATORS = re.compile(r"[\s,]+")
# Said in other words than the API's, which speaks to programs.
_SAID = {
    "stale_version": "Somebody changed this credential since you opened the form. Check its present state, "
    "and send again if you still want to.",
    "idempotency_key_reused": "This form was sent before. Open a new one for another credential.",
}


@dataclass(slots=True)
class Form:
    """`errors` by field; `summary` is said above the form, with the field it is about if there is one.

    `key` stays the same for a form that is sent twice, by a double click or after a lost answer.
    """

    values: dict[str, list[str]] = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)
    summary: list[tuple[str | None, str]] = field(default_factory=list)
    key: str = field(default_factory=lambda: token_urlsafe(16))

    @classmethod
    def filled(cls, **values: str | list[str] | None) -> "Form":
        """A form to begin with."""
        return cls(
            {
                name: value if isinstance(value, list) else [value]
                for name, value in values.items()
                if value is not None
            }
        )

    @classmethod
    def of_details(cls, credential: dict[str, Any], *, expires: str) -> "Form":
        """A form with the details of a credential; `expires` is the day of its end, or empty."""
        return cls.filled(
            name=credential["name"],
            description=credential["description"],
            scope=[name for name in ("pull", "push") if credential["scope"][name]],
            repository_prefixes="\n".join(credential["repository_prefixes"]),
            expires_at=expires,
            expires_was=expires,
        )

    @classmethod
    def sent(cls) -> "Form":
        """The form of this request."""
        values = {name: found for name, found in request.form.lists() if name not in SECRETS}
        return cls(values, key=request.form.get("key") or token_urlsafe(16))

    def value(self, name: str, default: str = "") -> str:
        return self.values.get(name, [default])[0]

    @property
    def has_details(self) -> bool:
        """Whether one of the details that may be left out was typed, or is wrong."""
        typed = (name for name in _OPTIONAL - {"scope"} if self.value(name))  # a scope is always there
        return any(typed) or not _OPTIONAL.isdisjoint(self.errors)

    def has(self, name: str, value: str) -> bool:
        return value in self.values.get(name, [])

    def fail(self, name: str | None, text: str) -> None:
        """Something is wrong with a field, or with the whole."""
        if name is not None:
            self.errors.setdefault(name, []).append(text)
        self.summary.append((name, text))

    def refused(self, problem: ApiError) -> int:
        """Take in what the API says; the status to answer with.

        Raises:
            ApiError: it is not about this form, but about who sends it.
        """
        if problem.status in {401, 403, 404}:
            raise problem
        if problem.code == "stale_version":
            self.values.pop("version", None)  # sent again, it is based on what is shown now
        for error in problem.errors:
            name = field_of(error.pointer)
            self.fail(name, sentence(error.detail))
        if not problem.errors:
            self.fail(None, _SAID.get(problem.code) or sentence(problem.detail))
        return problem.status


def field_of(pointer: str) -> str | None:
    """The field of a form that a JSON pointer into a request's body is about."""
    steps = [step for step in pointer.split("/")[1:] if step not in _OUTER]
    return steps[0] if steps else ("kind" if pointer == "/credential" else None)


def sentence(text: str) -> str:
    """The API's words, as a sentence."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def entries(text: str) -> list[str]:
    """Names that were typed one per line, or with commas or spaces between them."""
    return [entry for entry in _SEPARATORS.split(text) if entry]


def day(text: str) -> str | None:
    """The beginning of a day (UTC) as the API takes it."""
    text = text.strip()
    return f"{text}T00:00:00Z" if text else None


# What a form has of a credential and is no secret.
DETAILS = ("name", "description", "repository_prefixes", "expires_at", "scope")
_OPTIONAL = frozenset(DETAILS) - {"name"}


def details() -> dict[str, Any]:
    """The fields that both adding and editing have."""
    given = request.form
    return {
        "name": given.get("name", "").strip(),
        "description": given.get("description", "").replace("\r\n", "\n").strip(),
        "scope": {"pull": "pull" in given.getlist("scope"), "push": "push" in given.getlist("scope")},
        "repository_prefixes": entries(given.get("repository_prefixes", "")),
        "expires_at": day(given.get("expires_at", "")),
    }


def restrictions() -> dict[str, Any]:
    """Who may use it, as a form says it."""
    restricted = request.form.get("restricted") == "yes"
    return {
        "restricted": restricted,
        "projects": entries(request.form.get("projects", "")) if restricted else [],
    }
