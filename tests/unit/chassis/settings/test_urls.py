"""Settings that are URLs: every program must read the same host in them."""

import pytest

from chassis.settings.invalid_setting import InvalidSetting
from chassis.settings.urls import http_url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://host/", "https://host"),
        ("HTTPS://Host:8443/a/", "https://Host:8443/a"),
        ("http://[::1]:80", "http://[::1]:80"),
        ("https://ecr.{region}.example", "https://ecr.{region}.example"),
        ("", None),
    ],
)
def test_a_url_is_read(text: str, expected: str | None) -> None:
    assert http_url({"NAME": text}, "NAME") == expected


@pytest.mark.parametrize(
    "text",
    [
        "host",
        "https://",
        "https://:443",
        "ftp://host",
        "https://user@host",
        "https://localhost@evil.example",
        "https://user:hunter2@host",
        "https://host:99999",
        "https://host:0",
        "https://[::1",
        "https://host?a=b",
        "https://host#part",
        "http://evil.example#@127.0.0.1",
        "http://evil.example\\@127.0.0.1",
        "https://ho\tst",
        "https://host\n",
        " https://host",
        "https://ho st",
        "https://h\u00f6st",
    ],
)
def test_another_text_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(InvalidSetting, match="NAME") as refused:
        http_url({"NAME": text}, "NAME")
    assert "hunter2" not in str(refused.value)
