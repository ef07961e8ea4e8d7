"""Every page is complete, safe and small for the responses of the API."""

import gzip
import re
from datetime import timedelta
from hashlib import sha256

import pytest

from console.assets import read_assets
from contracts.verdicts import VerificationCode
from registries.catalogue import PROVIDERS
from tests.support.servers import ROOT
from tests.unit.console.conftest import ACCOUNT, ONE, Browser, Clock
from tests.unit.console.fake_api import (
    CREDENTIAL_ID,
    FakeApi,
    audit_event,
    credential,
    page,
    problem,
    summary,
    token,
    verification,
)

BASE = "/accounts/acme"
HERE = f"{BASE}/credentials/{CREDENTIAL_ID}"
PAGES = [
    "/",
    BASE,
    f"{BASE}/credentials",
    f"{BASE}/credentials/new",
    *(f"{BASE}/credentials/new?provider={provider.id}" for provider in PROVIDERS),
    HERE,
    *(f"{HERE}/{task}" for task in ("edit", "rotate", "restrict", "remove")),
    f"{BASE}/resolve",
    f"{BASE}/import",
    f"{BASE}/audit",
    "/tokens",
    "/tokens/tok1/revoke",
    "/system",
]


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_inline_scripts_labels_all_fields_and_is_small(signed_in: Browser, path: str) -> None:
    shown = signed_in.look(path, **{"Accept-Encoding": "gzip"})
    assert shown.status_code == 200
    assert shown.headers["Cache-Control"] == "no-store"
    assert "script-src 'self'" in shown.headers["Content-Security-Policy"]
    assert shown.headers["X-Request-Id"]
    text = gzip.decompress(shown.data).decode()
    # The page with all files that it loads.
    loaded = sum(len(asset.compressed) for name, asset in read_assets().items() if name in text)
    assert len(shown.data) + loaded <= 50 * 1024
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=|javascript:", text)
    assert "<h1>" in text
    assert 'lang="en"' in text
    for field in re.findall(r'<(?:input|select|textarea)[^>]*\bid="(f-[^"]+)"', text):
        assert f'for="{field}"' in text or re.search(rf'<label[^>]*><input[^>]*id="{field}"', text)


def test_the_list_shows_one_page_of_credentials(signed_in: Browser, api: FakeApi) -> None:
    many = page(
        *(credential(id=CREDENTIAL_ID[:-4] + f"{number:04}", name=f"name {number}") for number in range(50))
    )
    api.answers["GET", f"{ACCOUNT}/credentials"] = (200, {**many, "next_cursor": "c2"})
    shown = signed_in.look(f"{BASE}/credentials", **{"Accept-Encoding": "gzip"})
    assert len(shown.data) < 20 * 1024
    assert f'href="{BASE}/credentials?cursor=c2"' in gzip.decompress(shown.data).decode()


def test_filters_are_in_the_url_without_empty_values(signed_in: Browser, api: FakeApi) -> None:
    sent = signed_in.look(f"{BASE}/credentials?name=+team+&status=failed&provider=&cursor=old")
    assert sent.headers["Location"] == f"{BASE}/credentials?name=team&status=failed"
    shown = signed_in.look(f"{BASE}/credentials?name=team&status=failed").text
    assert api.last("GET", "/credentials").query == "name=team&status=failed&limit=50"
    assert f'href="{BASE}/credentials?name=team"' in shown.replace("&amp;", "&")


def test_text_of_users_is_escaped(signed_in: Browser) -> None:
    shown = signed_in.look(f"{BASE}/credentials").text
    assert "For the &lt;shop&gt;" in shown
    assert "<shop>" not in shown


def test_a_failed_verification_shows_its_code_meaning_and_remedy(signed_in: Browser) -> None:
    shown = signed_in.look(HERE).text
    assert "<code>bad_credential</code>" in shown
    assert "The registry refused the username or the secret." in shown
    assert "Create a new token with <code>read:packages</code>." in shown


def test_a_pending_verification_is_polled_a_limited_number_of_times(signed_in: Browser, api: FakeApi) -> None:
    state = {"status": "pending", "code": None, "detail": None, "checked_at": None}
    api.answers["GET", ONE] = (200, credential(verification=state), {"ETag": '"3"'})
    assert f'hx-get="{HERE}/verification?polls=0"' in signed_in.look(HERE).text
    part = signed_in.look(f"{HERE}/verification?polls=4", **{"HX-Request": "true"}).text
    assert f'hx-get="{HERE}/verification?polls=5"' in part
    assert "<html" not in part
    late = signed_in.look(f"{HERE}/verification?polls=90", **{"HX-Request": "true"}).text
    assert "hx-get" not in late
    assert "Refresh" in late
    assert signed_in.look(f"{HERE}/verification").headers["Location"] == HERE


def test_sections_that_the_token_cannot_read_are_omitted(signed_in: Browser, api: FakeApi) -> None:
    api.answers["GET", f"{ONE}/events"] = (403, problem(403, "insufficient_scope", "needs audit:read"))
    del api.answers["GET", f"{ONE}/usages"]
    shown = signed_in.look(HERE)
    assert shown.status_code == 200
    assert "may not read the audit log" in shown.text
    assert "Used by" not in shown.text


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


def test_the_page_of_a_credential_shows_the_workload_of_an_issuance(signed_in: Browser, api: FakeApi) -> None:
    issued = audit_event(
        action="secret.issued", before=None, after={"workload": {"kind": "deployment", "name": "web"}}
    )
    api.answers["GET", f"{ONE}/events"] = (200, page(issued, audit_event(before=None, after=None)))
    assert signed_in.look(HERE).text.count("· deployment/web</span>") == 1


@pytest.mark.parametrize(("projects", "said"), [(["shop"], 0), (["shop", "web"], 1)])
def test_a_single_project_of_a_restriction_is_shown_once(
    signed_in: Browser, api: FakeApi, projects: list[str], said: int
) -> None:
    restrictions = {"restricted": True, "projects": projects}
    api.answers["GET", ONE] = (200, credential(restrictions=restrictions), {"ETag": '"3"'})
    note = f'<span class="note mono">{", ".join(projects)}</span>'
    assert signed_in.look(HERE).text.count(note) == said


def test_the_tokens_page_shows_the_name_of_the_creator(signed_in: Browser, api: FakeApi) -> None:
    tokens = page(token(), token(id="tok0", name="admin", created_by="bootstrap"))
    api.answers["GET", "/v1/service-tokens"] = (200, tokens)
    shown = signed_in.look("/tokens").text
    assert "by admin</span>" in shown
    assert "by bootstrap</span>" in shown


def test_the_tokens_page_links_the_next_page(signed_in: Browser, api: FakeApi) -> None:
    api.answers["GET", "/v1/service-tokens"] = (200, page(token(), next_cursor="tok1"))
    assert "/tokens?cursor=tok1" in signed_in.look("/tokens").text
    signed_in.look("/tokens?cursor=tok1")
    assert api.last("GET", "/v1/service-tokens").query == "limit=50&cursor=tok1"


def test_the_list_shows_the_last_use_of_each_credential(signed_in: Browser, api: FakeApi) -> None:
    items = page(
        credential(),
        credential(name="b", last_used_at=None, used_by=0),
        credential(name="c", used_by=100),
    )
    api.answers["GET", f"{ACCOUNT}/credentials"] = (200, items)
    shown = signed_in.look(f"{BASE}/credentials").text
    assert '30 minutes ago</time><span class="note">by 2 workloads' in shown
    assert "Not yet" in shown
    assert "by 100 or more workloads" in shown


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (403, "insufficient_scope", "Your token lacks the required scope"),
        (404, "credential_not_found", "There is no such credential"),
        (503, "database_unavailable", "Service Unavailable"),
        (503, "read_model_behind", "Saved, but not visible yet"),
    ],
)
def test_a_problem_of_the_api_is_shown_with_the_request_id(
    signed_in: Browser, api: FakeApi, status: int, code: str, said: str
) -> None:
    api.answers["GET", ONE] = (status, problem(status, code, "said so"), {"Retry-After": "2"})
    shown = signed_in.look(HERE)
    assert shown.status_code == status
    assert said in shown.text
    assert shown.headers["X-Request-Id"] in shown.text
    assert api.requests[-1].headers["X_REQUEST_ID"] == shown.headers["X-Request-Id"]
    part = signed_in.look(HERE, **{"HX-Request": "true"})
    assert (part.status_code, part.headers["HX-Retarget"]) == (200, "#notices")


def test_a_response_that_is_not_from_regcred_is_reported(signed_in: Browser, api: FakeApi) -> None:
    api.answers["GET", ONE] = (200, "<html>hello</html>", {"Content-Type": "text/html"})
    shown = signed_in.look(HERE)
    assert shown.status_code == 502
    assert "The response is not from regcred" in shown.text


def test_an_unhandled_exception_shows_a_page_without_details(signed_in: Browser, api: FakeApi) -> None:
    api.answers["GET", ONE] = (200, {"odd": "canary-4711"}, {"ETag": '"1"'})
    shown = signed_in.look(HERE)
    assert shown.status_code == 500
    assert "canary-4711" not in shown.text
    assert shown.headers["X-Request-Id"] in shown.text


def test_the_next_query_waits_for_the_position_of_the_command(
    signed_in: Browser, api: FakeApi, clock: Clock
) -> None:
    api.answers["POST", f"{ONE}/verifications"] = (202, {}, {"Regcred-Position": "p:4"})
    assert signed_in.send(HERE, f"{HERE}/verify").status_code == 303
    assert api.last("POST").body is None
    signed_in.send(HERE, f"{HERE}/verify", image=" ghcr.io/acme/shop:1 ")
    assert api.last("POST").body == {"image": "ghcr.io/acme/shop:1"}
    signed_in.look(HERE)
    assert api.requests[-1].headers["REGCRED_WAIT_FOR"] == "p:4"
    signed_in.look("/system")
    assert "REGCRED_WAIT_FOR" not in api.requests[-1].headers
    clock.passes(timedelta(seconds=11))
    signed_in.look(HERE)
    assert "REGCRED_WAIT_FOR" not in api.requests[-1].headers


def test_the_system_page_shows_unavailable_dependencies(signed_in: Browser) -> None:
    shown = signed_in.look("/system").text
    assert "Some functions are unavailable" in shown
    assert "Unavailable" in shown


def test_the_system_page_shows_lag_and_dead_letters(signed_in: Browser) -> None:
    shown = signed_in.look("/system").text
    assert "2 events, 64 s" in shown
    assert "Up to date" in shown
    assert "this program does not know version &lt;99&gt;" in shown
    assert f'href="{BASE}">acme</a>' in shown


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (403, "insufficient_scope", "that has the scope admin"),
        (503, "database_unavailable", "is unavailable"),
    ],
)
def test_the_system_page_works_without_the_system_status(
    signed_in: Browser, api: FakeApi, status: int, code: str, said: str
) -> None:
    api.answers["GET", "/v1/system"] = (status, problem(status, code, "no"))
    shown = signed_in.look("/system")
    assert shown.status_code == 200
    assert said in shown.text
    assert "Some functions are unavailable" in shown.text


TAGS = f"{BASE}/resolve/tags"
HTMX = {"HX-Request": "true"}


def tags_are_known(api: FakeApi) -> None:
    image = {"registry_host": "ghcr.io", "repository": "acme/shop", "tag": "latest", "digest": None}
    answer = {
        "image": image,
        "selected": {"credential_id": CREDENTIAL_ID, "reason": "only_eligible"},
        "candidates": [
            {"credential_id": CREDENTIAL_ID, "name": "team-ghcr", "eligible": True, "reason": "selected"}
        ],
        "more_candidates": 0,
        "reasons": {"selected": 1},
    }
    api.answers["POST", f"{ACCOUNT}/resolutions"] = (200, answer)
    api.answers["GET", f"{ONE}/repositories/acme/shop/tags"] = (200, page({"name": "1.4"}, {"name": "<b>"}))


def test_tags_are_offered_after_the_colon_and_requested_once(signed_in: Browser, api: FakeApi) -> None:
    tags_are_known(api)
    shown = signed_in.look(f"{TAGS}?image=ghcr.io/acme/shop:1&project_id=shop", **HTMX)
    assert '<option value="ghcr.io/acme/shop:1.4">' in shown.text
    assert '<option value="ghcr.io/acme/shop:&lt;b&gt;">' in shown.text
    assert "2 tags found with the credential team-ghcr." in shown.text
    assert api.last("POST", "/resolutions").body == {"image": "ghcr.io/acme/shop", "project_id": "shop"}
    assert 'name="asked_for" value="shop ghcr.io/acme/shop"' in shown.text
    api.requests.clear()
    again = f"{TAGS}?image=ghcr.io/acme/shop:1.4&project_id=shop&asked_for=shop+ghcr.io/acme/shop"
    assert signed_in.look(again, **HTMX).status_code == 204
    assert not api.requests


@pytest.mark.parametrize("image", ["", "ghcr.io/acme/shop", "localhost:5000/shop", "a/b@sha256:1:2"])
def test_tags_are_not_requested_before_the_colon(signed_in: Browser, api: FakeApi, image: str) -> None:
    tags_are_known(api)
    api.requests.clear()
    assert signed_in.look(f"{TAGS}?image={image}&project_id=shop", **HTMX).status_code == 204
    assert signed_in.look(f"{TAGS}?image=ghcr.io/acme/shop:1", **HTMX).status_code == 204
    assert not api.requests


def test_an_unreachable_registry_is_reported_next_to_the_field(signed_in: Browser, api: FakeApi) -> None:
    tags_are_known(api)
    api.answers["GET", f"{ONE}/repositories/acme/shop/tags"] = (
        502,
        problem(502, "registry_unreachable", "ghcr.io does not answer"),
    )
    shown = signed_in.look(f"{TAGS}?image=ghcr.io/acme/shop:1&project_id=shop", **HTMX)
    assert shown.status_code == 200
    assert "Tags are not available. Ghcr.io does not answer." in shown.text
    assert "asked_for" in shown.text


def test_without_htmx_the_tags_redirect_to_the_image_page(signed_in: Browser) -> None:
    sent = signed_in.look(f"{TAGS}?image=ghcr.io/acme/shop:1&project_id=shop")
    assert sent.headers["Location"].startswith(f"{BASE}/resolve?image=ghcr.io")


def test_vendored_files_match_the_list_of_their_readme() -> None:
    folders = ("services/console/static/vendor", "tests/browser/vendor")
    for folder in folders:
        listed = dict(
            re.findall(r"`([a-z.]+\.js)`.*`([0-9a-f]{64})`", (ROOT / folder / "README.md").read_text())
        )
        files = {path.name: sha256(path.read_bytes()).hexdigest() for path in (ROOT / folder).glob("*.js")}
        assert listed == files
        assert files


def test_the_url_of_a_static_file_contains_its_digest(signed_in: Browser) -> None:
    for name, asset in read_assets().items():
        found = signed_in.look(f"/static/{asset.digest}/{name}")
        assert found.data == asset.content
        assert "immutable" in found.headers["Cache-Control"]
        assert signed_in.look(f"/static/{'0' * 16}/{name}").status_code == 404
    assert signed_in.look("/static/x/../console.css").status_code == 404


@pytest.mark.parametrize("code", list(VerificationCode))
def test_every_verification_code_has_a_text(signed_in: Browser, api: FakeApi, code: VerificationCode) -> None:
    state = {"status": "failed", "code": code.value, "detail": "d", "checked_at": "2026-11-24T11:59:00Z"}
    api.answers["GET", ONE] = (200, credential(verification=state), {"ETag": '"3"'})
    assert f"<strong>{code.value}" not in signed_in.look(HERE).text


def test_the_image_page_counts_the_candidates_that_are_not_listed(signed_in: Browser, api: FakeApi) -> None:
    tags_are_known(api)
    _, answer, *_ = api.answers["POST", f"{ACCOUNT}/resolutions"]
    other = {
        "credential_id": CREDENTIAL_ID[:-1] + "2",
        "name": "other",
        "eligible": False,
        "reason": "restricted",
    }
    answer["candidates"] += [other] * 49
    answer |= {"more_candidates": 950, "reasons": {"selected": 1, "restricted": 999}}
    shown = signed_in.look(f"{BASE}/resolve?image=ghcr.io/acme/shop&project_id=shop").text
    assert shown.count("It is restricted to other projects.") == 49 + 1
    assert "999: It is restricted to other projects." in shown
    assert "950 more are not shown" in shown
    assert len(shown) < 50 * 1024


def test_a_failed_probe_is_shown_next_to_the_successful_login(signed_in: Browser, api: FakeApi) -> None:
    probe = {
        "image": "ghcr.io/acme/shop:1",
        "code": "no_pull_access",
        "detail": "no",
        "help": "Give it Read.",
    }
    item = verification() | {"probe": probe, "code": None, "status": "verified", "help": None}
    stored = credential()
    stored["verification"] = stored["verification"] | {
        "status": "verified",
        "code": None,
        "checked_at": item["checked_at"],
    }
    api.answers["GET", ONE] = (200, stored, {"ETag": '"1"'})
    api.answers["GET", f"{ONE}/verifications"] = (200, page(item))
    text = signed_in.look(HERE).text
    assert "The registry accepted the login." in text
    assert "ghcr.io/acme/shop:1" in text
    assert "The login was accepted, but is not allowed to pull" in text
    assert "Give it Read." in text


def test_an_invalid_image_is_reported_in_a_sentence(signed_in: Browser, api: FakeApi) -> None:
    refusal = problem(422, "invalid_request", "x", ("/image", "the image is somewhere else"))
    api.answers["POST", f"{ONE}/verifications"] = (422, refusal)
    assert signed_in.send(HERE, f"{HERE}/verify", image="nginx").status_code == 303
    assert "The image is somewhere else." in signed_in.look(HERE).text
