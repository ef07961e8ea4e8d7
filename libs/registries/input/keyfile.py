"""Reads key files of Google service accounts, as `gcloud iam service-accounts keys create` writes them.

A registry accepts the complete file as the password of the user `_json_key` (Google Cloud, "Configure
authentication to Artifact Registry for Docker"). The file is stored in a normal form, so that the same key is
the same secret, independent of its formatting.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from chassis.invalid_input import FieldProblem, InvalidInput
from chassis.secret import Secret
from registries.catalogue import KEYFILE_USERNAME
from registries.json_document import UnreadableDocument, read_object
from registries.logins.registry_login import RegistryLogin

MAX_KEYFILE_BYTES = 16 * 1024  # a real one has about 2.3 KiB

_REQUIRED = ("type", "private_key_id", "private_key", "client_email")
# The fields that Google writes, in its order. Other fields are not stored.
_FIELDS = (
    "type",
    "project_id",
    "private_key_id",
    "private_key",
    "client_email",
    "client_id",
    "auth_uri",
    "token_uri",
    "auth_provider_x509_cert_url",
    "client_x509_cert_url",
    "universe_domain",
)
# NAME@PROJECT.iam., NUMBER-compute@developer., PROJECT@appspot.gserviceaccount.com
_CLIENT_EMAIL = re.compile(r"[a-z0-9][a-z0-9.:-]{0,100}@[a-z0-9][a-z0-9.-]{0,150}\.gserviceaccount\.com")


def read_keyfile(value: object, *, pointer: str = "/credential/keyfile") -> RegistryLogin:
    """The login of a service-account key file.

    The username is `_json_key`, the password is the file in compact JSON.

    `value` is the file as an object, as text, or as base64 of its text.

    Raises:
        InvalidInput: with pointers below `pointer`. No detail contains anything of the file. Codes:
            `invalid_type, too_large, malformed, required, not_a_service_account, invalid_email,
            invalid_private_key`.
    """
    try:
        document = read_object(value, max_bytes=MAX_KEYFILE_BYTES)
    except UnreadableDocument as refusal:
        raise InvalidInput((FieldProblem(pointer, refusal.code, refusal.detail),)) from None
    # If the file was sent as text, a pointer cannot name its fields.
    inside = pointer if isinstance(value, str) else None
    problems = tuple(
        FieldProblem(inside or f"{pointer}/{field}", code, f"{field}: {detail}")
        for field, code, detail in _problems(document)
    )
    if problems:
        raise InvalidInput(problems)
    normalised = {field: document[field] for field in _FIELDS if field in document}
    return RegistryLogin(
        username=KEYFILE_USERNAME, password=Secret(json.dumps(normalised, separators=(",", ":")))
    )


def _problems(document: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    missing = [field for field in _REQUIRED if document.get(field) in (None, "")]
    yield from ((field, "required", "missing in the key file") for field in missing)
    wrong = [
        field for field in _FIELDS if field in document and not isinstance(document[field], str)
        and field not in missing
    ]  # fmt: skip
    yield from ((field, "invalid_type", "must be a text") for field in wrong)
    unusable = {*missing, *wrong}
    if "type" not in unusable and document["type"] != "service_account":
        yield (
            "type",
            "not_a_service_account",
            "must be the key of a service account, not another kind of file",
        )
    if "client_email" not in unusable and not _CLIENT_EMAIL.fullmatch(document["client_email"]):
        yield "client_email", "invalid_email", "must be the address of a service account"
    if "private_key" not in unusable and (key_problem := _key_problem(document["private_key"])):
        yield "private_key", "invalid_private_key", key_problem


def _key_problem(pem: str) -> str | None:
    if "\\n" in pem:
        return "its line breaks are escaped twice; enter the file unchanged, as downloaded"
    try:
        # Full validation takes a quarter of a second for 4096 bits, and the key is not used here.
        key = load_pem_private_key(pem.encode("ascii"), password=None, unsafe_skip_rsa_key_validation=True)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return "it is not an unencrypted PEM private key, or a part of it is missing"
    if not isinstance(key, RSAPrivateKey):
        return "it must be an RSA key"
    numbers = key.private_numbers()
    if numbers.p * numbers.q != numbers.public_numbers.n:
        return "it is damaged"
    return None
