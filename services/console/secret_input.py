"""Put a secret that the user typed, pasted or uploaded into the body of a request to the API."""

from typing import Any

from flask import request

from chassis.secret import Secret
from regcred.apiclient.transport import Json
from registries.secret_kinds import BY_KIND, SecretField


def credential() -> Json:
    """The `credential` of a request (`docs/http.md`, "Secrets"), for the kind that the user chose."""
    kind = request.form.get("kind", "")
    body: dict[str, Any] = {"kind": kind}
    for field in BY_KIND[kind].fields if kind in BY_KIND else ():
        value = _value(field)
        if value or field.required:
            body[field.name] = value
    return body


def _value(field: SecretField) -> str | Secret:
    if field.document:
        return document(field.name)
    text = request.form.get(field.name, "")
    return Secret(text) if field.secret else text.strip()


def document(name: str) -> Secret:
    """A JSON document, from the uploaded file if there is one, otherwise from the text field."""
    file = request.files.get(f"{name}_file")
    if file is not None and file.filename:
        return Secret(file.read().decode("utf-8", errors="replace"))
    return Secret(request.form.get(name, "").strip())
