"""The list of credentials, and the page of one."""

import gzip
from datetime import timedelta

import pytest

from contracts.verdicts import VerificationCode
from tests.unit.console.conftest import ACCOUNT, BASE, HERE, ONE, Browser, Clock
from tests.unit.console.fake_api import (
    CREDENTIAL_ID,
    FakeApi,
    audit_event,
    credential,
    page,
    problem,
    verification,
)


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


def test_a_credential_shows_events_that_could_not_be_handled(signed_in: Browser, api: FakeApi) -> None:
    assert "could not handle" not in signed_in.look(f"{BASE}/credentials/{CREDENTIAL_ID}").text
    api.answers["GET", ONE] = (200, credential(dead_letters=1), {"ETag": '"3"'})
    assert "could not handle 1 event of" in signed_in.look(f"{BASE}/credentials/{CREDENTIAL_ID}").text


@pytest.mark.parametrize("code", list(VerificationCode))
def test_every_verification_code_has_a_text(signed_in: Browser, api: FakeApi, code: VerificationCode) -> None:
    state = {"status": "failed", "code": code.value, "detail": "d", "checked_at": "2026-11-24T11:59:00Z"}
    api.answers["GET", ONE] = (200, credential(verification=state), {"ETag": '"3"'})
    assert f"<strong>{code.value}" not in signed_in.look(HERE).text


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


def test_a_credential_is_frozen_with_a_reason_and_thawed(signed_in: Browser, api: FakeApi) -> None:
    api.answers["POST", f"{ONE}/freeze"] = (200, credential(frozen=True))
    assert f'action="{HERE}/freeze"' in signed_in.look(f"{HERE}/freeze").text
    sent = signed_in.send(f"{HERE}/freeze", f"{HERE}/freeze", reason=" leaked ")
    assert sent.headers["Location"] == HERE
    assert api.last("POST", "/freeze").body == {"reason": "leaked"}
    assert "IF_MATCH" not in api.last("POST", "/freeze").headers

    api.answers["GET", ONE] = (200, credential(frozen=True), {"ETag": '"3"'})
    api.answers["POST", f"{ONE}/thaw"] = (200, credential())
    assert "Its secret is issued to nobody." in signed_in.look(HERE).text
    assert f'action="{HERE}/thaw"' in signed_in.look(f"{HERE}/freeze").text
    assert signed_in.send(f"{HERE}/freeze", f"{HERE}/thaw", reason="").headers["Location"] == HERE
    assert api.last("POST", "/thaw").headers["IF_MATCH"] == '"3"'


def test_a_refused_freeze_shows_its_error_in_the_form(signed_in: Browser, api: FakeApi) -> None:
    refused = problem(422, "invalid_request", "no", ("/reason", "say why"))
    api.answers["POST", f"{ONE}/freeze"] = (422, refused)
    sent = signed_in.send(f"{HERE}/freeze", f"{HERE}/freeze", reason="")
    assert sent.status_code == 422
    assert "Could not freeze the credential" in sent.text
