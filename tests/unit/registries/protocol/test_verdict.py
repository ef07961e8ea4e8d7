"""The verdict of a response, for each row of the table of verdicts."""

import json

import pytest

from contracts.verdicts import VerificationCode as Code
from registries.catalogue import provider as known
from registries.dialer.response import HttpResponse
from registries.protocol.verdict import Verdict, refused


def verdict(
    status: int, body: str = "", *, provider: str = "custom", by: str = "token server", **headers: str
) -> Verdict:
    answer = HttpResponse(
        status, tuple((name.replace("_", "-"), value) for name, value in headers.items()), body.encode()
    )
    return refused(answer, provider=known(provider), by="registry" if by == "registry" else "token server")


def error(code: str, message: str) -> str:
    return json.dumps({"errors": [{"code": code, "message": message}]})


@pytest.mark.parametrize(
    ("status", "body", "provider", "code"),
    [
        (401, "", "custom", Code.BAD_CREDENTIAL),
        (401, error("UNAUTHORIZED", "incorrect username or password"), "dockerhub", Code.BAD_CREDENTIAL),
        (401, error("UNAUTHORIZED", "must log in with a Personal Access Token"), "dockerhub", Code.BAD_CREDENTIAL),
        (401, error("UNAUTHORIZED", "HTTP Basic: Access denied"), "gitlab", Code.BAD_CREDENTIAL),
        (401, error("UNAUTHORIZED", "too many failed login attempts for username or IP address"), "dockerhub", Code.RATE_LIMITED),
        (403, error("DENIED", "denied"), "github", Code.BAD_CREDENTIAL),
        (403, error("DENIED", "denied"), "custom", Code.BAD_CREDENTIAL),
        (403, error("DENIED", 'Permission "artifactregistry…" denied on resource (or it may not exist)'), "gar", Code.BAD_CREDENTIAL),
        (403, "", "github", Code.BAD_CREDENTIAL),
        (403, error("DENIED", "access forbidden"), "gitlab", Code.MISSING_SCOPE),
        (403, "Forbidden", "gitlab", Code.FORBIDDEN),
        (403, error("DENIED", "client with IP '192.0.2.1' is not allowed access"), "acr", Code.FORBIDDEN),
        (403, "login attempt failed with status: 403 Forbidden", "acr", Code.FORBIDDEN),
        (403, "<html>Forbidden</html>", "custom", Code.FORBIDDEN),
        (403, "denied: Your authorization token has expired. Reauthenticate and try again.", "ecr", Code.EXPIRED),
        (401, error("UNAUTHORIZED", "The access token is expired token"), "custom", Code.EXPIRED),
        (429, "", "custom", Code.RATE_LIMITED),
        (429, error("TOOMANYREQUESTS", ""), "dockerhub", Code.RATE_LIMITED),
        (400, error("TOOMANYREQUESTS", ""), "dockerhub", Code.RATE_LIMITED),
        (400, "", "acr", Code.BAD_CHALLENGE),
        (404, "", "gitlab", Code.BAD_CHALLENGE),
        (405, "", "custom", Code.BAD_CHALLENGE),
        (500, "", "custom", Code.UNREACHABLE),
        (502, "", "custom", Code.UNREACHABLE),
        (503, error("TOOMANYREQUESTS", ""), "custom", Code.UNREACHABLE),
        (204, "", "custom", Code.NOT_A_REGISTRY),
        (302, "", "custom", Code.NOT_A_REGISTRY),
        (418, "", "custom", Code.NOT_A_REGISTRY),
    ],
)  # fmt: skip
@pytest.mark.parametrize("by", ["registry", "token server"])
def test_the_verdict_follows_from_status_code_and_text(
    status: int, body: str, provider: str, code: Code, by: str
) -> None:
    found = verdict(status, body, provider=provider, by=by)
    assert found.code is code
    assert by in found.detail or code is Code.MISSING_SCOPE


@pytest.mark.parametrize(
    "body",
    ["", "null", "[]", "{}", "7", '"denied"', '{"errors": null}', '{"errors": []}', '{"errors": {}}',
     '{"errors": [null]}', '{"errors": ["DENIED"]}', '{"errors": [{}]}', '{"errors": [{"code": null}]}',
     '{"errors": [{"code": ["DENIED"]}]}', '{"errors": 7}', "[" * 4096, '{"a":' * 2000, "\ufeff{}", "9" * 4096],
)  # fmt: skip
def test_an_unexpected_body_gives_the_verdict_of_the_status(body: str) -> None:
    assert verdict(403, body).code is Code.FORBIDDEN


def test_a_binary_body_gives_the_verdict_of_the_status() -> None:
    answer = HttpResponse(403, (), bytes(range(256)) * 100)
    assert refused(answer, provider=known("custom"), by="registry").code is Code.FORBIDDEN


def test_only_the_beginning_of_a_body_is_read() -> None:
    assert verdict(403, " " * 5000 + "token has expired").code is Code.FORBIDDEN


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("17", 17),
        (" 17\t", 17),
        ("86401", 86400),
        ("999999999", 86400),
        ("9999999999", 86400),
        ("-1", None),
        ("+1", None),
        ("1.5", None),
        ("1e3", None),
        ("\u00b2", None),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("", None),
    ],
)
def test_retry_after_is_part_of_the_verdict(text: str, seconds: int | None) -> None:
    assert verdict(429, retry_after=text).retry_after == seconds
    assert verdict(503, retry_after=text).retry_after == seconds


def test_a_verdict_can_have_no_retry_after() -> None:
    assert verdict(429).retry_after is None


def test_details_do_not_repeat_the_body() -> None:
    for status in (302, 400, 401, 403, 404, 429, 500):
        for provider in ("custom", "github", "gitlab"):
            assert "canary" not in verdict(status, error("DENIED", "canary"), provider=provider).detail
