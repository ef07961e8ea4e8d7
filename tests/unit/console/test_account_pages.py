"""The overview, the audit log and the exposure report of an account."""

from tests.unit.console.conftest import ACCOUNT, BASE, Browser
from tests.unit.console.fake_api import (
    FakeApi,
    audit_event,
    credential,
    exposed,
    page,
    problem,
    summary,
)


def test_the_audit_log_shows_changes_and_links_to_filters(signed_in: Browser) -> None:
    shown = signed_in.look(f"{BASE}/audit?outcome=success").text.replace("&amp;", "&")
    assert "<del>no</del>" in shown
    assert "<ins>yes</ins>" in shown
    assert "scope.push" in shown
    assert "scope.pull" not in shown
    assert f'href="{BASE}/audit?outcome=success&actor=tok1"' in shown
    assert f'href="{BASE}/audit.csv?outcome=success"' in shown


def test_an_export_has_the_filters_of_the_page(signed_in: Browser, api: FakeApi) -> None:
    api.answers["GET", f"{ACCOUNT}/audit-events"] = (200, "a,b\r\n", {"Content-Type": "text/csv"})
    file = signed_in.look(f"{BASE}/audit.csv?since=2026-11-01&action=secret.issued")
    assert file.text == "a,b\r\n"
    assert file.headers["Content-Disposition"] == 'attachment; filename="audit-acme.csv"'
    assert api.requests[-1].query == "since=2026-11-01T00%3A00%3A00Z&action=secret.issued"
    assert api.requests[-1].headers["ACCEPT"] == "text/csv"
    api.answers["GET", f"{ACCOUNT}/audit-events"] = (403, problem(403, "insufficient_scope", "no"))
    assert signed_in.look(f"{BASE}/audit.ndjson").status_code == 403


def test_a_filter_that_is_refused_is_named(signed_in: Browser, api: FakeApi) -> None:
    wrong = problem(422, "invalid_request", "a wrong value", ("/registry_host", "enter only the host"))
    api.answers["GET", f"{ACCOUNT}/audit-events"] = (422, wrong)
    shown = signed_in.look(f"{BASE}/audit?registry_host=x/y")
    assert shown.status_code == 422
    assert "egistry_host: enter only the host." in shown.text


def test_an_unknown_event_is_shown_by_its_type(signed_in: Browser, api: FakeApi) -> None:
    event = audit_event(
        action="moon.landed", credential_id=None, credential_name=None, before=None, after=None
    )
    api.answers["GET", f"{ACCOUNT}/audit-events"] = (200, page(event))
    assert "moon.landed" in signed_in.look(f"{BASE}/audit").text


def test_the_overview_shows_counts_and_warnings(signed_in: Browser, api: FakeApi) -> None:
    api.answers["GET", f"{ACCOUNT}/credentials/summary"] = (
        200,
        summary(total=9_000, by_status=dict.fromkeys(summary()["by_status"], 1_800), expired=3),
    )
    shown = signed_in.look(BASE).text
    assert shown.count('<span class="count">1800</span>') == 5
    assert "1 within 30 days" in shown
    assert "3 expired" in shown
    assert "All failed credentials" in shown
    assert "All unreachable credentials" in shown
    # At most three requests for any number of credentials: the summary, and the first of two statuses.
    queries = [one for one in api.requests if one.path.startswith(f"{ACCOUNT}/credentials")]
    assert [one.query for one in queries] == ["", "status=failed&limit=8", "status=unreachable&limit=7"]


def test_the_overview_lists_unreachable_credentials(signed_in: Browser, api: FakeApi) -> None:
    nothing = dict.fromkeys(summary()["by_status"], 0)
    state = {"status": "unreachable", "code": "unreachable", "detail": "d", "checked_at": None}
    path = f"{ACCOUNT}/credentials/summary"
    api.answers["GET", f"{ACCOUNT}/credentials"] = (200, page(credential(verification=state)))
    api.answers["GET", path] = (200, summary(total=1, by_status={**nothing, "unreachable": 1}))
    shown = signed_in.look(BASE).text
    assert api.last("GET", "/credentials").query == "status=unreachable&limit=8"
    assert "The registry did not respond" in shown
    assert "All unreachable credentials" not in shown
    assert "No credential has the status" not in shown
    api.answers["GET", path] = (200, summary(total=1, by_status={**nothing, "verified": 1}))
    assert "No credential has the status Failed or Unreachable." in signed_in.look(BASE).text


def test_the_exposure_report_shows_what_is_to_be_done_first(signed_in: Browser, api: FakeApi) -> None:
    items = [
        exposed(credential_name="alpha", state="rotated", to_do=False, current_version=2),
        exposed(credential_name="gone", state="removed", to_do=False, current_version=None),
        exposed(frozen=True),
    ]
    sealed = {"up_to": 8, "count": 1, "segments": ["000000000001-000000000008"]}
    api.answers["GET", f"{ACCOUNT}/exposure"] = (200, {**page(*items), "sealed": sealed})
    shown = signed_in.look(f"{BASE}/exposure?since=2026-11-01&to_do=true").text.replace("&amp;", "&")
    assert api.last("GET", "/exposure").query == "since=2026-11-01T00%3A00%3A00Z&to_do=true&limit=200"
    assert shown.index("team-ghcr") < shown.index("alpha") < shown.index("gone")
    assert "up to position 8 are archived" in shown
    assert shown.count("/rotate") == 1
    assert "/freeze" not in shown
    assert "deployment/&lt;front&gt;" in shown
    assert f'href="{BASE}/exposure?since=2026-11-01&to_do=true&source_ip=127.0.0.1"' in shown
    assert f'href="{BASE}/exposure.csv?since=2026-11-01&to_do=true"' in shown


def test_the_exposure_report_is_exported_as_csv(signed_in: Browser, api: FakeApi) -> None:
    api.answers["GET", f"{ACCOUNT}/exposure"] = (200, "a,b\r\n", {"Content-Type": "text/csv"})
    file = signed_in.look(f"{BASE}/exposure.csv?source_ip=10.0.0.7")
    assert file.text == "a,b\r\n"
    assert file.headers["Content-Disposition"] == 'attachment; filename="exposure-acme.csv"'
    assert api.requests[-1].query == "source_ip=10.0.0.7"
