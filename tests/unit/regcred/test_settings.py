from pathlib import Path

import pytest

from regcred.apiclient.errors import ConfigurationError
from regcred.apiclient.settings import connection, token_path


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "token").write_text("a-token\n")
    return {"REGCRED_TOKEN_FILE": str(tmp_path / "token")}


@pytest.mark.parametrize(
    ("address", "loopback"),
    [
        ("http://127.0.0.1:8080", True),
        ("http://127.8.9.1", True),
        ("http://[::1]:8080/", True),
        ("http://localhost:8080", True),
        ("https://regcred.example.com/", False),
    ],
)
def test_valid_addresses_are_accepted(environment: dict[str, str], address: str, loopback: bool) -> None:
    found = connection(address, environment, allow_http=False)
    assert (found.address, found.loopback) == (address.rstrip("/"), loopback)
    assert found.token.reveal() == "a-token"
    assert "a-token" not in repr(found)


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("127.0.0.1:8080", "must look like"),
        ("ftp://127.0.0.1", "must look like"),
        ("http://", "must look like"),
        ("http://[::1", "must look like"),
        ("http://127.0.0.1\t.evil.example", "must look like"),
        ("http://evil.example\\@127.0.0.1", "must look like"),
        ("http://localhost@evil.example", "must not contain"),
        ("HTTP://127.0.0.1.evil.example", "in plain text"),
        ("http://127.0.0.1:x", "must look like"),
        ("https://h.example.com/?a=b", "must look like"),
        ("https://u:p@h.example.com", "must not contain"),
        ("http://h.example.com", "in plain text"),
        ("http://localhost.example.com", "in plain text"),
    ],
)
def test_invalid_addresses_are_refused(environment: dict[str, str], address: str, says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        connection(address, environment, allow_http=False)


def test_plain_http_is_allowed_on_request(environment: dict[str, str]) -> None:
    assert not connection("http://h.example.com", environment, allow_http=True).loopback


@pytest.mark.parametrize(
    ("environment", "path"),
    [
        ({}, ".regcred/admin.token"),
        ({"REGCRED_HOME": "/state"}, "/state/admin.token"),
        ({"REGCRED_HOME": "/state", "REGCRED_TOKEN_FILE": "t"}, "t"),
    ],
)
def test_the_path_of_the_token_is_selected(environment: dict[str, str], path: str) -> None:
    assert token_path(environment) == Path(path)


@pytest.mark.parametrize("content", [b"", b"\n", b"two words", b"\xff", b"a\0b", b"a" * (16 * 1024 + 1)])
def test_an_invalid_token_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match="does not contain a token"):
        connection("http://127.0.0.1", {"REGCRED_TOKEN_FILE": str(file)}, allow_http=False)


def test_a_missing_token_is_reported(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"admin\.token: No such file"):
        connection("http://127.0.0.1", {"REGCRED_HOME": str(tmp_path)}, allow_http=False)
