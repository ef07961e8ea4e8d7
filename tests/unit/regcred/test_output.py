import pytest

from regcred.apiclient.text import shown
from regcred.cli.output import aligned, print_fields, print_table
from regcred.cli.presentation import event_details, verdict


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        ("", "-"),
        ([], "-"),
        (0, "0"),
        (True, "yes"),
        (["a", "b"], "a, b"),
        ("a\x1b[31m\nb\u202e", "a\ufffd[31m\ufffdb\ufffd"),
    ],
)
def test_values_are_formatted_for_users(value: object, text: str) -> None:
    assert shown(value) == text


def test_columns_are_as_wide_as_their_values() -> None:
    assert aligned([["A", "B"], ["long", "x"], ["漢字", "y"]]) == ["A     B", "long  x", "漢字  y"]
    assert aligned([]) == []


def test_a_table_is_plain_text_without_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("NAME", "STATUS"), [("[bold]x", "verified"), (None, "failed: expired")])
    assert capsys.readouterr().out == "NAME     STATUS\n[bold]x  verified\n-        failed: expired\n"


def test_lines_of_a_field_are_aligned(capsys: pytest.CaptureFixture[str]) -> None:
    print_fields([("a", "one\ntwo"), ("long name", None)])
    assert capsys.readouterr().out == "a          one\n           two\nlong name  -\n"


@pytest.mark.parametrize(
    ("state", "text"),
    [
        ({"status": "verified", "code": None}, "verified"),
        ({"status": "failed", "code": "expired"}, "failed: expired"),
        ({"status": "unreachable", "code": "unreachable"}, "unreachable"),
        ({"status": "unreachable", "code": "rate_limited"}, "unreachable: rate_limited"),
    ],
)
def test_verdicts_show_status_and_code(state: dict[str, object], text: str) -> None:
    assert verdict(state) == text


WORKLOAD = {"kind": "deployment", "name": "web"}


@pytest.mark.parametrize(
    ("event", "text"),
    [
        ({"reason": None, "before": None, "after": None}, ""),
        ({"reason": "no longer needed", "before": None, "after": None}, "no longer needed"),
        ({"reason": "expired", "before": None, "after": {"detail": "HTTP 401"}}, "expired: HTTP 401"),
        ({"reason": None, "before": None, "after": {"workload": WORKLOAD}}, "deployment/web"),
        (
            {"reason": "no_eligible_credential", "before": None, "after": {"workload": WORKLOAD}},
            "no_eligible_credential: deployment/web",
        ),
        (
            {"reason": None, "before": None, "after": {"workload": WORKLOAD}, "images": ["ghcr.io/a/b:1"]},
            "ghcr.io/a/b:1 for deployment/web",
        ),
        (
            {"reason": None, "before": None, "after": {"workload": WORKLOAD}, "images": list("abcde")},
            "a, b, c and 2 more for deployment/web",
        ),
        (
            {
                "reason": None,
                "before": {"name": "a", "scope": {"pull": True, "push": False}, "repository_prefixes": []},
                "after": {
                    "name": "a",
                    "scope": {"pull": True, "push": True},
                    "repository_prefixes": ["x", "y"],
                },
            },
            "scope.push: no → yes; repository_prefixes: none → x, y",
        ),
        (
            {
                "reason": None,
                "before": {"restricted": False, "projects": []},
                "after": {"restricted": True, "projects": ["shop"]},
            },
            "projects: all → shop",
        ),
        (
            {
                "reason": None,
                "before": {"restricted": True, "projects": ["shop"]},
                "after": {"restricted": True, "projects": []},
            },
            "projects: shop → none",
        ),
    ],
)
def test_an_audit_event_shows_reason_or_changes(event: dict[str, object], text: str) -> None:
    assert event_details(event) == text
