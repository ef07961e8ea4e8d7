"""Forms of pages: the values that the user entered, without secrets, and the errors of each field."""

import re
from dataclasses import dataclass, field
from secrets import token_urlsafe
from typing import Any

from flask import request

from regcred.apiclient.errors import ApiError

# Values that are never put back into a page. The user enters them again.
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

_OBJECTS = frozenset({"credential", "restrictions"})  # steps of a pointer that are not fields of a form
_SEPARATORS = re.compile(r"[\s,]+")
# Messages for users. Those of the API address the developers of its callers.
_MESSAGES = {
    "stale_version": "This credential was changed after you opened the form. Check its current state, "
    "and save again if your change still applies.",
    "idempotency_key_reused": "This form was sent before with other values. Open a new form.",
}


@dataclass(slots=True)
class Form:
    """The values and errors of a form.

    `errors` are the messages of each field. `summary` has all messages, with the field or `None`, and is
    shown above the form. `key` is the idempotency key. It stays the same if the form is sent again, for
    example after a double click or a lost response.
    """

    values: dict[str, list[str]] = field(default_factory=dict)
    errors: dict[str, list[str]] = field(default_factory=dict)
    summary: list[tuple[str | None, str]] = field(default_factory=list)
    key: str = field(default_factory=lambda: token_urlsafe(16))

    @classmethod
    def filled(cls, **values: str | list[str] | None) -> "Form":
        """A form with initial values. `None` is omitted."""
        return cls(
            {
                name: value if isinstance(value, list) else [value]
                for name, value in values.items()
                if value is not None
            }
        )

    @classmethod
    def of_details(cls, credential: dict[str, Any], *, expires: str) -> "Form":
        """A form with the details of a credential. `expires` is its expiry as a date, or empty."""
        return cls.filled(
            name=credential["name"],
            description=credential["description"],
            scope=[name for name in ("pull", "push") if credential["scope"][name]],
            repository_prefixes="\n".join(credential["repository_prefixes"]),
            additional_hosts="\n".join(credential.get("additional_hosts") or ()),
            mirror_of="\n".join(credential.get("mirror_of") or ()),
            expires_at=expires,
            expires_was=expires,
        )

    @classmethod
    def sent(cls) -> "Form":
        """The form that this request sent."""
        values = {name: found for name, found in request.form.lists() if name not in SECRETS}
        return cls(values, key=request.form.get("key") or token_urlsafe(16))

    def value(self, name: str, default: str = "") -> str:
        return self.values.get(name, [default])[0]

    @property
    def has_details(self) -> bool:
        """Whether one of the optional details has a value or an error. The scope always has a value."""
        entered = (name for name in _OPTIONAL - {"scope"} if self.value(name))
        return any(entered) or not _OPTIONAL.isdisjoint(self.errors)

    def has(self, name: str, value: str) -> bool:
        return value in self.values.get(name, [])

    def add_error(self, name: str | None, text: str) -> None:
        """Add an error of a field, or of the whole form (`None`)."""
        if name is not None:
            self.errors.setdefault(name, []).append(text)
        self.summary.append((name, text))

    def add_problem(self, problem: ApiError) -> int:
        """Add the errors of a response of the API; returns the status for the response of the console.

        Raises:
            ApiError: the problem is not in the form, but in the token or the address.
        """
        if problem.status in {401, 403, 404}:
            raise problem
        if problem.code == "stale_version":
            self.values.pop("version", None)  # the form gets the version that the page shows now
        for error in problem.errors:
            self.add_error(field_of(error.pointer), sentence(error.detail))
        if not problem.errors:
            self.add_error(None, _MESSAGES.get(problem.code) or sentence(problem.detail))
        return problem.status


def field_of(pointer: str) -> str | None:
    """The field of a form for a JSON pointer into the body of a request; `None` for the whole form."""
    steps = [step for step in pointer.split("/")[1:] if step not in _OBJECTS]
    return steps[0] if steps else ("kind" if pointer == "/credential" else None)


def sentence(text: str) -> str:
    """A message of the API as a sentence, with a capital letter and a full stop."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."


def entries(text: str) -> list[str]:
    """The entries of a list that the user separated by line breaks, commas or spaces."""
    return [entry for entry in _SEPARATORS.split(text) if entry]


def day(text: str) -> str | None:
    """The time of the API for a date: its beginning in UTC. `None` if the text is empty."""
    text = text.strip()
    return f"{text}T00:00:00Z" if text else None


# The fields of a credential that are not secret.
DETAILS = (
    "name",
    "description",
    "repository_prefixes",
    "additional_hosts",
    "mirror_of",
    "expires_at",
    "scope",
)
_OPTIONAL = frozenset(DETAILS) - {"name"}


def details() -> dict[str, Any]:
    """The fields of a request to add or edit a credential, from the form of this request."""
    sent = request.form
    return {
        "name": sent.get("name", "").strip(),
        "description": sent.get("description", "").replace("\r\n", "\n").strip(),
        "scope": {"pull": "pull" in sent.getlist("scope"), "push": "push" in sent.getlist("scope")},
        "repository_prefixes": entries(sent.get("repository_prefixes", "")),
        "additional_hosts": entries(sent.get("additional_hosts", "")),
        "mirror_of": entries(sent.get("mirror_of", "")),
        "expires_at": day(sent.get("expires_at", "")),
    }


def restrictions() -> dict[str, Any]:
    """The `restrictions` of a request, from the form of this request."""
    restricted = request.form.get("restricted") == "yes"
    return {
        "restricted": restricted,
        "projects": entries(request.form.get("projects", "")) if restricted else [],
    }
