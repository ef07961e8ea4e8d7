from typing import Any

import pytest

from regcred.apiclient.errors import ApiProblem
from regcred.apiclient.problem_text import problem_lines

OPTIONS = [
    ("name", "NAME"),
    ("registry", "--registry"),
    ("username", "--username"),
    ("repository_prefixes", "--prefix"),
    ("projects", "--project"),
    ("expires_at", "--expires"),
    ("keyfile", "--keyfile"),
]


def lines(status: int = 422, retry_after: int | None = None, **document: Any) -> list[str]:
    problem = ApiProblem(status, {"code": "c", "detail": "d", **document}, retry_after=retry_after)
    return list(problem_lines(problem, OPTIONS))


@pytest.mark.parametrize(
    ("pointer", "label"),
    [
        ("/name", "NAME"),
        ("/registry_url", "--registry"),
        ("/credential/username", "--username"),
        ("/credential/password", "the password"),
        ("/credential/keyfile/private_key", "--keyfile"),
        ("/credential", "the secret"),
        ("/repository_prefixes/3", "--prefix"),
        ("/restrictions/projects/0", "--project"),
        ("/projects/0", "--project"),
        ("/expires_at", "--expires"),
        ("/scope", "/scope"),  # this command has no such option
        ("/unheard/of", "/unheard/of"),
        ("", "request"),
        (None, "request"),
    ],
)
def test_a_pointer_is_shown_as_its_option(pointer: str | None, label: str) -> None:
    found = lines(errors=[{"pointer": pointer, "code": "x", "detail": "is wrong"}])
    assert found == ["regcred: c: d", f"  {label}: is wrong"]


def test_usages_remedy_and_request_id_are_shown() -> None:
    found = lines(
        409,
        code="credential_in_use",
        request_id="r-1",
        users=[{"project_id": "shop", "workload": {"kind": "app", "name": "web"}}, {"project_id": "blog"}],
    )
    assert found == [
        "regcred: credential_in_use: d",
        "  in use by app web in project shop",
        "  in use by a workload in project blog",
        "  to do it anyway, repeat the command with --force --reason '…'",
        "  request id: r-1",
    ]


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_shown(status: int) -> None:
    assert "  try again in 30 s" in lines(status, retry_after=30)


def test_the_hint_for_a_limited_token_fits_routes_of_an_account_and_of_the_installation() -> None:
    found = lines(403, code="account_forbidden", detail="the route needs a token for all accounts")
    assert found[1] == "  this token is limited: use one of its accounts (--account), or another token"


def test_a_malformed_document_is_shown_without_control_characters() -> None:
    assert lines(detail="red \x1b[31m", errors="nonsense", users=7) == ["regcred: c: red \ufffd[31m"]
    assert lines(errors=[7, {"code": "x"}]) == ["regcred: c: d", "  request: x"]
