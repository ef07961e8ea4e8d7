"""Service-account key files: which are accepted, their stored form, and the problems of the others."""

import base64
import json

import pytest

from chassis.invalid_input import InvalidInput
from registries.input.keyfile import read_keyfile
from tests.support.keyfiles import ec_pem, keyfile, rsa_pem


def test_every_layout_of_a_key_file_gives_the_same_secret() -> None:
    document = keyfile()
    reordered = dict(reversed(document.items()))
    text = json.dumps(document, indent=2)
    forms: list[object] = [
        document,
        reordered,
        text,
        f"\n{text}\n",
        base64.b64encode(text.encode()).decode(),
        document | {"x-unknown": "dropped"},
    ]
    logins = [read_keyfile(form) for form in forms]
    assert all(login == logins[0] for login in logins)
    assert logins[0].username == "_json_key"
    assert logins[0].password is not None
    assert logins[0].password.reveal() == json.dumps(document, separators=(",", ":"))


@pytest.mark.parametrize(
    ("changes", "field", "code"),
    [
        ({"type": None}, "type", "required"),
        ({"private_key_id": None}, "private_key_id", "required"),
        ({"private_key": ""}, "private_key", "required"),
        ({"client_email": None}, "client_email", "required"),
        ({"type": "authorized_user"}, "type", "not_a_service_account"),
        ({"type": ["service_account"]}, "type", "invalid_type"),
        ({"private_key": 7}, "private_key", "invalid_type"),
        ({"project_id": {"a": 1}}, "project_id", "invalid_type"),
        ({"client_email": "octo@example.com"}, "client_email", "invalid_email"),
        ({"client_email": "a@b@x.gserviceaccount.com"}, "client_email", "invalid_email"),
        ({"private_key": "not a key"}, "private_key", "invalid_private_key"),
        ({"private_key": "\ud800"}, "private_key", "invalid_private_key"),
    ],
)
def test_an_invalid_field_is_named(changes: dict[str, object], field: str, code: str) -> None:
    document = keyfile(**changes)
    with pytest.raises(InvalidInput) as caught:
        read_keyfile(document)
    assert [(problem.pointer, problem.code) for problem in caught.value.problems] == [
        (f"/credential/keyfile/{field}", code)
    ]
    if "\ud800" not in str(document):
        with pytest.raises(InvalidInput) as caught:
            read_keyfile(json.dumps(document), pointer="/keyfile")
        (problem,) = caught.value.problems
        assert (problem.pointer, problem.code) == ("/keyfile", code)
        assert field in problem.detail


@pytest.mark.parametrize(
    "email",
    [
        "deploy@acme.iam.gserviceaccount.com",
        "123456789012-compute@developer.gserviceaccount.com",
        "acme@appspot.gserviceaccount.com",
        "deploy@acme.example.com.iam.gserviceaccount.com",
    ],
)
def test_every_kind_of_service_account_is_accepted(email: str) -> None:
    assert read_keyfile(keyfile(client_email=email)).username == "_json_key"


def test_all_invalid_fields_are_reported_together() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_keyfile(keyfile(type="x", client_email="y", private_key="z"))
    assert [problem.code for problem in caught.value.problems] == [
        "not_a_service_account",
        "invalid_email",
        "invalid_private_key",
    ]


def test_a_damaged_private_key_is_refused() -> None:
    pem = rsa_pem()
    body = pem.splitlines()
    damaged = {
        "escaped twice": pem.replace("\n", "\\n"),
        "cut off": "\n".join(body[: len(body) // 2]),
        "without its first line": "\n".join(body[1:]),
        "another kind": ec_pem(),
        "public": "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
        "encrypted": pem.replace("PRIVATE", "ENCRYPTED PRIVATE"),
    }
    for what, text in damaged.items():
        with pytest.raises(InvalidInput) as caught:
            read_keyfile(keyfile(private_key=text))
        assert caught.value.problems[0].code == "invalid_private_key", what
    # One changed byte in a prime, detected without a full validation.
    der = bytearray(base64.b64decode("".join(body[1:-1])))
    der[-600] ^= 0x10
    changed = f"{body[0]}\n{base64.encodebytes(bytes(der)).decode()}{body[-1]}\n"
    with pytest.raises(InvalidInput) as caught:
        read_keyfile(keyfile(private_key=changed))
    assert caught.value.problems[0].code == "invalid_private_key"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (None, "invalid_type"),
        ([], "invalid_type"),
        (7, "invalid_type"),
        ("[]", "invalid_type"),
        ("", "malformed"),
        ("{", "malformed"),
        ("not json", "malformed"),
        ("/////w==", "malformed"),
        ('{"type": "service_account", "type": "service_account"}', "malformed"),
        ("[" * 5000, "malformed"),
        ({"a": [[[[[[[[[[[[[]]]]]]]]]]]]]}, "malformed"),
        ({"type": "x" * 20_000}, "too_large"),
        ("x" * 30_000, "too_large"),
    ],
)
def test_a_value_that_is_not_a_key_file_is_refused(value: object, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_keyfile(value)
    (problem,) = caught.value.problems
    assert (problem.pointer, problem.code) == ("/credential/keyfile", code)
