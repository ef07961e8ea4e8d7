"""Form fields are sent to the API. A refused form is shown with its values, but without secrets."""

import io
import re
from typing import Any
from urllib.parse import parse_qs

import pytest

from console.forms import field_of
from tests.unit.console.conftest import ACCOUNT, ONE, Browser
from tests.unit.console.fake_api import CREDENTIAL_ID, FakeApi, credential, problem, token, usage

BASE = "/accounts/acme/credentials"
HERE = f"{BASE}/{CREDENTIAL_ID}"
NEW = f"{BASE}/new?provider=github"
CANARY = "canary-7f3a9c51"
TYPED = {
    "name": "team-ghcr",
    "kind": "username_password",
    "username": "octo",
    "password": CANARY,
    "scope": "pull",
}


@pytest.mark.parametrize(
    ("pointer", "name"),
    [
        ("/name", "name"),
        ("/credential/password", "password"),
        ("/credential/keyfile/client_email", "keyfile"),
        ("/restrictions/projects/3", "projects"),
        ("/projects/0", "projects"),
        ("/repository_prefixes/1", "repository_prefixes"),
        ("/credential", "kind"),
        ("", None),
    ],
)
def test_a_pointer_is_mapped_to_its_form_field(pointer: str, name: str | None) -> None:
    assert field_of(pointer) == name


def test_the_add_form_sends_its_fields_to_the_api(signed_in: Browser, api: FakeApi) -> None:
    api.answers["POST", f"{ACCOUNT}/credentials"] = (201, credential(), {"Regcred-Position": "p:1"})
    sent = signed_in.send(
        NEW,
        BASE,
        **TYPED,
        description="a\r\nb ",
        restricted="yes",
        projects="shop, shop-staging\nshop",
        repository_prefixes="acme/ acme/x",
        additional_hosts="docker.acme.com\neu.acme.com",
        mirror_of="docker.io",
        expires_at="2027-01-31",
    )
    assert sent.headers["Location"] == HERE
    request = api.last("POST")
    assert request.body == {
        "name": "team-ghcr",
        "provider": "github",
        "registry_url": None,
        "location": None,
        "description": "a\nb",
        "credential": {"kind": "username_password", "username": "octo", "password": CANARY},
        "scope": {"pull": True, "push": False},
        "repository_prefixes": ["acme/", "acme/x"],
        "additional_hosts": ["docker.acme.com", "eu.acme.com"],
        "mirror_of": ["docker.io"],
        "restrictions": {"restricted": True, "projects": ["shop", "shop-staging", "shop"]},
        "expires_at": "2027-01-31T00:00:00Z",
    }
    assert len(request.headers["IDEMPOTENCY_KEY"]) > 10


def test_a_refused_form_is_shown_with_its_values_but_without_the_secret(
    signed_in: Browser, api: FakeApi
) -> None:
    refusal = problem(
        422,
        "invalid_request",
        "x",
        ("/name", "3 to 39 characters"),
        ("/credential/password", "no line break"),
    )
    api.answers["POST", f"{ACCOUNT}/credentials"] = (422, refusal)
    fields = {**TYPED, "keyfile": f"{CANARY}-k", "docker_config": f"{CANARY}-d", "description": "kept <b>"}
    shown = signed_in.send(NEW, BASE, **fields)
    assert shown.status_code == 422
    assert CANARY not in shown.text
    assert "kept &lt;b&gt;" in shown.text
    assert '<a href="#f-name">3 to 39 characters.</a>' in shown.text
    assert 'id="e-name"' in shown.text
    assert 'aria-describedby="h-password e-password" aria-invalid="true"' in shown.text
    assert 'value="octo"' in shown.text


@pytest.mark.parametrize(
    ("page", "request_line", "heading"),
    [
        ("add", ("POST", f"{ACCOUNT}/credentials"), "Could not add the credential"),
        ("edit", ("PATCH", ONE), "Could not save the changes"),
        ("rotate", ("PUT", f"{ONE}/secret"), "Could not rotate the secret"),
        ("roll-back", ("POST", f"{ONE}/secret/rollback"), "Could not roll back the secret"),
        ("restrict", ("PUT", f"{ONE}/restrictions"), "Could not save the restrictions"),
        ("remove", ("DELETE", ONE), "Could not remove the credential"),
    ],
)
def test_a_refused_form_names_its_action(
    signed_in: Browser, api: FakeApi, page: str, request_line: tuple[str, str], heading: str
) -> None:
    api.answers[request_line] = (422, problem(422, "invalid_request", "x", ("/name", "no")))
    fields = {**TYPED, "typed": "team-ghcr", "restricted": "no"}
    shown = (
        signed_in.send(NEW, BASE, **fields) if page == "add" else signed_in.send(f"{HERE}/{page}", **fields)
    )
    assert shown.status_code == 422
    assert re.findall("<h2>.*(Could not .*)</h2>", shown.text) == [heading]


def test_a_repeated_form_has_the_same_idempotency_key(signed_in: Browser, api: FakeApi) -> None:
    api.answers["POST", f"{ACCOUNT}/credentials"] = (503, problem(503, "database_unavailable", "away"))
    first = signed_in.send(NEW, BASE, **TYPED, key="k-1")
    assert api.last("POST").headers["IDEMPOTENCY_KEY"] == "k-1"
    assert first.status_code == 503
    assert 'name="key" value="k-1"' in first.text


@pytest.mark.parametrize(
    ("provider", "typed"),
    [
        ("ecr", {"kind": "aws_keys", "access_key_id": "AKIA", "secret_access_key": CANARY}),
        (
            "ecr",
            {"kind": "aws_keys", "access_key_id": "AKIA", "secret_access_key": "x", "session_token": CANARY},
        ),
        ("acr", {"kind": "service_principal", "tenant": "t", "client_id": "c", "client_secret": CANARY}),
    ],
)
def test_cloud_keys_are_sent_to_the_api_and_not_shown_in_the_page(
    signed_in: Browser, api: FakeApi, provider: str, typed: dict[str, str]
) -> None:
    api.answers["POST", f"{ACCOUNT}/credentials"] = (
        422,
        problem(422, "invalid_request", "x", ("/name", "bad")),
    )
    shown = signed_in.send(f"{BASE}/new?provider={provider}", BASE, name="-", **typed)
    assert api.last("POST").body["credential"] == typed
    assert CANARY not in shown.text
    assert all(f'name="{name}"' in shown.text for name in typed)


@pytest.mark.parametrize("way", ["file", "paste"])
@pytest.mark.parametrize("kind", ["keyfile", "docker_config"])
def test_a_document_can_be_uploaded_or_pasted(signed_in: Browser, api: FakeApi, kind: str, way: str) -> None:
    api.answers["POST", f"{ACCOUNT}/credentials"] = (201, credential())
    text = '{"type": "service_account"}'
    fields: dict[str, Any] = {"name": "google", "kind": kind, "location": "europe-west3"}
    fields |= {f"{kind}_file": (io.BytesIO(text.encode()), "key.json")} if way == "file" else {kind: text}
    signed_in.send(f"{BASE}/new?provider=gar", BASE, **fields)
    assert api.last("POST").body["credential"] == {"kind": kind, kind: text}
    assert api.last("POST").body["location"] == "europe-west3"


def test_a_test_before_saving_shows_its_verdict(signed_in: Browser, api: FakeApi) -> None:
    shown = signed_in.send(NEW, BASE, **TYPED, do="test")
    assert "cannot test before saving" in shown.text
    verdict = {"status": "failed", "code": "bad_credential", "detail": "refused", "help": "Make a new one."}
    api.answers["POST", f"{ACCOUNT}/verifications"] = (200, verdict)
    shown = signed_in.send(NEW, BASE, **TYPED, do="test")
    assert "Make a new one." in shown.text
    assert CANARY not in shown.text
    assert api.last("POST").path == f"{ACCOUNT}/verifications"


def test_the_form_keeps_its_values_when_another_provider_is_selected(signed_in: Browser) -> None:
    shown = signed_in.look(f"{BASE}/new?provider=gar&name=mine&restricted=yes&projects=shop&password=x").text
    assert 'value="mine"' in shown
    assert 'value="x"' not in shown
    assert 'name="restricted" value="yes" checked' in shown


def test_the_edit_form_sends_the_version_that_it_shows(signed_in: Browser, api: FakeApi) -> None:
    api.answers["PATCH", ONE] = (200, credential())
    signed_in.send(f"{HERE}/edit", name="team-ghcr", scope="pull", expires_at="2026-12-10")
    assert api.last("PATCH").headers["IF_MATCH"] == '"3"'
    assert "expires_at" not in api.last("PATCH").body  # the same day: the hour stays
    signed_in.send(f"{HERE}/edit", name="team-ghcr", scope="pull", expires_at="")
    assert api.last("PATCH").body["expires_at"] is None


def test_an_edit_of_a_stale_version_shows_the_conflict_and_the_new_version(
    signed_in: Browser, api: FakeApi
) -> None:
    api.answers["PATCH", ONE] = (412, problem(412, "stale_version", "the credential is at version 3"))
    shown = signed_in.send(f"{HERE}/edit", name="mine", scope="pull", version="2")
    assert shown.status_code == 412
    assert "This credential was changed" in shown.text
    assert 'name="version" value="3"' in shown.text
    assert 'value="mine"' in shown.text
    api.answers["PATCH", ONE] = (422, problem(422, "invalid_request", "x", ("/name", "bad")))
    assert 'name="version" value="2"' in signed_in.send(f"{HERE}/edit", name="!", version="2").text


def test_the_rotate_form_does_not_show_the_secret(signed_in: Browser, api: FakeApi) -> None:
    refusal = problem(422, "invalid_request", "x", ("/credential/password", "A secret may not be empty."))
    api.answers["PUT", f"{ONE}/secret"] = (422, refusal)
    shown = signed_in.send(f"{HERE}/rotate", **TYPED)
    assert shown.status_code == 422
    assert CANARY not in shown.text
    api.answers["PUT", f"{ONE}/secret"] = (200, credential())
    assert signed_in.send(f"{HERE}/rotate", **TYPED).status_code == 303
    assert api.last("PUT").body["credential"]["password"] == CANARY


@pytest.mark.parametrize(
    ("page", "command", "fields"),
    [
        ("restrict", ("PUT", f"{ONE}/restrictions"), {"restricted": "yes", "projects": "other"}),
        ("edit", ("PATCH", ONE), {"name": "team-ghcr", "scope": "pull", "repository_prefixes": "acme/"}),
        ("rotate", ("PUT", f"{ONE}/secret"), TYPED),
        ("roll-back", ("POST", f"{ONE}/secret/rollback"), {}),
    ],
)
def test_a_change_that_takes_access_away_is_confirmed_with_a_reason(
    signed_in: Browser, api: FakeApi, page: str, command: tuple[str, str], fields: dict[str, str]
) -> None:
    method, _ = command
    api.answers[command] = (409, problem(409, "credential_in_use", "in use", users=[usage()]))
    shown = signed_in.send(f"{HERE}/{page}", **fields)
    assert (shown.status_code, CANARY in shown.text) == (409, False)
    assert "would lose it" in shown.text
    assert "deployment web" in shown.text
    assert api.last(method).query == ""

    api.answers[command] = (200, credential())
    sent = len(api.requests)
    for blank in ("", " "):
        missing = signed_in.send(f"{HERE}/{page}", force="yes", reason=blank, **fields)
        assert (missing.status_code, "Enter a reason" in missing.text) == (422, True)
        assert 'name="force" value="yes"' in missing.text
    assert {request.method for request in api.requests[sent:]} == {"GET"}
    assert signed_in.send(f"{HERE}/{page}", force="yes", reason="moved", **fields).status_code == 303
    assert parse_qs(api.last(method).query) == {"reason": ["moved"], "force": ["true"]}


def test_a_restriction_is_sent(signed_in: Browser, api: FakeApi) -> None:
    api.answers["PUT", f"{ONE}/restrictions"] = (200, credential())
    assert signed_in.send(f"{HERE}/restrict", restricted="yes", projects="other").status_code == 303
    assert api.last("PUT").body == {"restricted": True, "projects": ["other"]}
    assert signed_in.send(f"{HERE}/restrict", restricted="no", projects="left over").status_code == 303
    assert api.last("PUT").body == {"restricted": False, "projects": []}


def test_removal_needs_the_name_and_a_reason_if_the_credential_is_in_use(
    signed_in: Browser, api: FakeApi
) -> None:
    assert signed_in.send(f"{HERE}/remove", typed="another").status_code == 422
    in_use = problem(409, "credential_in_use", "in use", users=[usage()])
    api.answers["DELETE", ONE] = (409, in_use)
    shown = signed_in.send(f"{HERE}/remove", typed="team-ghcr")
    assert shown.status_code == 409
    assert "deployment web" in shown.text
    assert signed_in.send(f"{HERE}/remove", typed="team-ghcr", force="yes").status_code == 422
    api.answers["DELETE", ONE] = (204, None)
    sent = signed_in.send(f"{HERE}/remove", typed="Team-GHCR", force="yes", reason="it leaked")
    assert sent.headers["Location"] == BASE
    assert parse_qs(api.last("DELETE").query) == {"reason": ["it leaked"], "force": ["true"]}
    assert api.last("DELETE").headers["IF_MATCH"] == '"3"'


def test_a_new_token_is_shown_once(signed_in: Browser, api: FakeApi) -> None:
    api.answers["POST", "/v1/service-tokens"] = (201, {**token(), "token": CANARY})
    assert signed_in.send("/tokens", name="d", scopes="admin", every="no").status_code == 422
    sent = signed_in.send("/tokens", name="d", scopes="secrets:issue", every="no", accounts="acme shop")
    assert (sent.status_code, CANARY in sent.text) == (303, False)
    assert api.last("POST").body["accounts"] == ["acme", "shop"]
    assert CANARY in signed_in.look("/tokens").text
    assert CANARY not in signed_in.look("/tokens").text
    api.answers["DELETE", "/v1/service-tokens/tok1"] = (204, None)
    assert signed_in.send("/tokens/tok1/revoke").status_code == 303


def test_the_image_page_shows_all_candidates_and_their_reasons(signed_in: Browser, api: FakeApi) -> None:
    path = "/accounts/acme/resolve?image=ghcr.io/acme/shop&project_id=shop"
    assert "does not support image lookup" in signed_in.look(path).text
    api.answers["POST", f"{ACCOUNT}/resolutions"] = (
        200,
        {
            "image": {"registry_host": "ghcr.io", "repository": "acme/shop", "tag": "latest", "digest": None},
            "selected": {"credential_id": CREDENTIAL_ID, "reason": "most_specific"},
            "candidates": [
                {"credential_id": CREDENTIAL_ID, "name": "team-ghcr", "eligible": True, "reason": "selected"},
                {"credential_id": "x", "name": "other", "eligible": False, "reason": "restricted"},
            ],
            "more_candidates": 0,
            "reasons": {"selected": 1, "restricted": 1},
        },
    )
    shown = signed_in.look(path).text
    assert "It has the most specific repository prefix for this image." in shown
    assert "It is restricted to other projects." in shown
    assert api.last("POST").body == {"image": "ghcr.io/acme/shop", "project_id": "shop", "operation": "pull"}
    api.answers["POST", f"{ACCOUNT}/resolutions"] = (
        422,
        problem(422, "invalid_request", "x", ("/image", "no image")),
    )
    assert signed_in.look(path).status_code == 422


def test_an_import_shows_the_result_of_each_entry(signed_in: Browser, api: FakeApi) -> None:
    where = "/accounts/acme/import"
    assert signed_in.send(where, docker_config='{"auths": {}}').status_code == 501
    entry = {"key": "ghcr.io", "registry_host": "ghcr.io", "name": "ghcr-io", "reason": None}
    items = [
        {**entry, "status": "created", "credential_id": CREDENTIAL_ID},
        {**entry, "key": "entry 2", "registry_host": None, "status": "unsupported", "credential_id": None}
        | {"reason": "a <helper> keeps it"},
    ]
    left_out = [{"name": "shop/db", "reason": "its type is Opaque"}]
    answer = {"items": items, "left_out": left_out, "more_left_out": 7, "dry_run": False}
    api.answers["POST", f"{ACCOUNT}/imports"] = (200, answer)
    shown = signed_in.send(where, docker_config=CANARY, restricted="yes", projects="shop", name_prefix="ci")
    assert "a &lt;helper&gt; keeps it" in shown.text
    assert "1 created" in shown.text
    assert "its type is Opaque" in shown.text
    assert "and 7 more" in shown.text
    assert CANARY not in shown.text
    assert "IDEMPOTENCY_KEY" in api.last("POST").headers
    assert api.last("POST").body == {
        "docker_config": CANARY,
        "name_prefix": "ci",
        "restrictions": {"restricted": True, "projects": ["shop"]},
    }


def test_a_preview_of_an_import_is_a_dry_run(signed_in: Browser, api: FakeApi) -> None:
    item = {"key": "ghcr.io", "registry_host": "ghcr.io", "name": "n", "reason": None, "credential_id": None}
    api.answers["POST", f"{ACCOUNT}/imports"] = (
        200,
        {"items": [{**item, "status": "created"}], "dry_run": True},
    )
    shown = signed_in.send("/accounts/acme/import", docker_config=CANARY, name_prefix="kept", do="preview")
    assert "1 would be created" in shown.text
    assert 'value="kept"' in shown.text
    assert CANARY not in shown.text
    assert api.last("POST").body["dry_run"] is True
    assert "IDEMPOTENCY_KEY" not in api.last("POST").headers
