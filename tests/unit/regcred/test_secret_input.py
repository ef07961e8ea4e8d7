import io
import sys
from pathlib import Path
from typing import Any

import click
import pytest

from regcred.cli.errors import SecretUnreadable
from regcred.cli.secret_input import MAX_BYTES, credential_of, read_document, read_password

NOTHING = {
    "password_stdin": False,
    "password_file": None,
    "keyfile": None,
    "docker_config": None,
    "access_key_id": None,
    "session_token_file": None,
    "tenant": None,
    "client_id": None,
}


def given(**sources: Any) -> dict[str, Any]:
    return {**NOTHING, **sources}


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(raw))
    return raw


def feed(stdin: io.BytesIO, content: bytes) -> None:
    stdin.write(content)
    stdin.seek(0)


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"p", "p"),
        (b"p\n", "p"),
        (b"p\r\n", "p"),
        (b"p\n\n", "p\n"),
        (b" p \t\n", " p \t"),
        ("pä\n".encode(), "pä"),
    ],
)
def test_exactly_one_newline_is_removed(tmp_path: Path, content: bytes, password: str) -> None:
    file = tmp_path / "p"
    file.write_bytes(content)
    assert read_password(str(file)).reveal() == password


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "contains no password"),
        (b"\n", "contains no password"),
        (b"\xff\xfe", "not UTF-8"),
        (b"a" * (MAX_BYTES + 1), "larger than 1 MiB"),
    ],
)
def test_an_invalid_password_is_refused(stdin: io.BytesIO, content: bytes, says: str) -> None:
    feed(stdin, content)
    with pytest.raises(SecretUnreadable, match=says) as raised:
        read_password("-")
    assert raised.value.__cause__ is None


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SecretUnreadable, match="No such file"):
        read_document(str(tmp_path / "nothing"))


def test_an_empty_document_is_refused(stdin: io.BytesIO) -> None:
    feed(stdin, b" \n")
    with pytest.raises(SecretUnreadable, match="stdin is empty"):
        read_document("-")


def test_a_password_is_read_from_stdin(stdin: io.BytesIO) -> None:
    feed(stdin, b"p\n")
    found = credential_of(given(password_stdin=True), username="u")
    assert (found["kind"], found["username"], found["password"].reveal()) == ("username_password", "u", "p")
    assert "'p'" not in repr(found)


def test_the_stored_username_is_the_default(stdin: io.BytesIO) -> None:
    feed(stdin, b"p\n")
    assert credential_of(given(password_stdin=True), username=None, default_username="v")["username"] == "v"
    feed(stdin, b"p\n")
    assert "username" not in credential_of(given(password_file="-"), username=None)


@pytest.mark.parametrize("kind", ["keyfile", "docker_config"])
def test_a_document_is_read_from_a_file(tmp_path: Path, kind: str) -> None:
    file = tmp_path / "document"
    file.write_text('{"a": 1}\n')
    found = credential_of(given(**{kind: str(file)}), username=None, default_username="ignored")
    assert set(found) == {"kind", kind}
    assert found[kind].reveal() == '{"a": 1}\n'
    with pytest.raises(click.UsageError, match="remove --username"):
        credential_of(given(**{kind: str(file)}), username="u")


def test_two_secrets_cannot_be_combined() -> None:
    with pytest.raises(click.UsageError, match="--password-stdin and --keyfile cannot be combined"):
        credential_of(given(password_stdin=True, keyfile="k"), username=None)


def test_the_prompt_needs_a_terminal(stdin: io.BytesIO) -> None:
    with pytest.raises(click.UsageError, match="the source of the secret is missing"):
        credential_of(given(), username="u")


def revealed(body: dict[str, Any]) -> dict[str, str]:
    return {name: value if isinstance(value, str) else value.reveal() for name, value in body.items()}


def test_an_access_key_of_aws_is_read(stdin: io.BytesIO, tmp_path: Path) -> None:
    feed(stdin, b"canary\n")
    body = credential_of(given(access_key_id="AKIA1", password_stdin=True), username=None)
    assert revealed(body) == {"kind": "aws_keys", "access_key_id": "AKIA1", "secret_access_key": "canary"}
    assert "canary" not in repr(body)
    (tmp_path / "secret").write_text("s\n")
    (tmp_path / "token").write_text("t\n")
    sources = given(
        access_key_id="ASIA1",
        password_file=str(tmp_path / "secret"),
        session_token_file=str(tmp_path / "token"),
    )
    body = revealed(credential_of(sources, username=None))
    assert (body["secret_access_key"], body["session_token"]) == ("s", "t")


def test_a_service_principal_of_azure_is_read(stdin: io.BytesIO) -> None:
    feed(stdin, b"canary\n")
    body = credential_of(given(tenant="t", password_stdin=True), username=None, default_username="kept-id")
    assert revealed(body) == {
        "kind": "service_principal",
        "tenant": "t",
        "client_id": "kept-id",
        "client_secret": "canary",
    }


def test_a_key_is_prompted_for_at_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    prompts: list[str] = []

    def prompt(text: str, **_options: object) -> str:
        prompts.append(text)
        return "typed"

    monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
    monkeypatch.setattr(click, "prompt", prompt)
    body = revealed(credential_of(given(access_key_id="AKIA1"), username=None))
    assert (body["secret_access_key"], prompts) == ("typed", ["Secret access key"])


@pytest.mark.parametrize(
    ("sources", "username", "says"),
    [
        (
            {"access_key_id": "AKIA1", "tenant": "t", "password_stdin": True},
            None,
            "--access-key-id and --tenant",
        ),
        ({"access_key_id": "AKIA1", "keyfile": "f"}, None, "--access-key-id and --keyfile"),
        ({"access_key_id": "AKIA1", "password_stdin": True}, "octo", "--access-key-id and --username"),
        (
            {"access_key_id": "A", "password_stdin": True, "password_file": "f"},
            None,
            "--password-file cannot",
        ),
        ({"tenant": "t", "password_stdin": True}, None, "--client-id is also required"),
        ({"client_id": "c", "password_stdin": True}, None, "--tenant is also required"),
        ({"session_token_file": "-", "password_stdin": True}, None, "--access-key-id is also required"),
        (
            {"access_key_id": "A", "session_token_file": "-", "password_stdin": True},
            None,
            "only one secret can come from stdin",
        ),
        ({"access_key_id": "A"}, None, "there is a prompt only on a terminal"),
    ],
)
def test_conflicting_options_are_refused(
    stdin: io.BytesIO, sources: dict[str, Any], username: str | None, says: str
) -> None:
    feed(stdin, b"x\n")
    with pytest.raises(click.UsageError) as refusal:
        credential_of(given(**sources), username=username)
    assert says in refusal.value.message
