"""What a request for a pull secret comes to, and how a secret is written down."""

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from chassis.secret import Secret
from contracts.credential_events import Restrictions, Scope
from contracts.issuance_events import RefusedCandidate, SecretIssued, SecretRefusedV2, Workload
from contracts.verdicts import VerificationStatus
from credentials.api.requested_images import names_as_written
from credentials.domain.issuance import (
    Anonymous,
    Client,
    IssuancePlan,
    PullSecretRequest,
    plan,
    without,
)
from credentials.domain.issuance_record import events_of, refused_events
from credentials.domain.pull_secret_formats import Issued, auth_keys, basic, docker_config, kubernetes_secret
from eventlog.events import encode
from registries.image_reference import ImageReference
from registries.logins.registry_login import RegistryLogin
from registries.matching import Candidate, RequestedUse

NOW = datetime(2026, 1, 2, tzinfo=UTC)
USE = RequestedUse(project_id="shop", operation="pull", at=NOW)
WORKLOAD = Workload(kind="deployment", name="storefront")
ISSUANCE = UUID(int=99)


def candidate(number: int, host: str = "ghcr.io", *prefixes: str, **changes: Any) -> Candidate:
    kept = Candidate(
        credential_id=UUID(int=number),
        version=1,
        name=f"cred-{number}",
        registry_host=host,
        repository_prefixes=prefixes,
        scope=Scope(pull=True, push=False),
        restrictions=Restrictions(restricted=False, projects=()),
        secret_version=number,
        expires_at=None,
        verification=VerificationStatus.VERIFIED,
        added_at=NOW,
    )
    return replace(kept, **changes)


NOBODY = Restrictions(restricted=True, projects=())


def wanted(
    *images: str, allow_anonymous: Anonymous = False, client: Client | None = None
) -> PullSecretRequest:
    parsed = tuple(ImageReference.parse(image) for image in images)
    return PullSecretRequest(
        images=parsed,
        client=client,
        as_written=names_as_written({"images": images, "registry_host": None}, parsed),
        project_id="shop",
        workload=WORKLOAD,
        format="docker_config",
        allow_anonymous=allow_anonymous,
    )


def granted(found: IssuancePlan) -> dict[int, list[str]]:
    return {
        grant.candidate.credential_id.int: [str(image) for image in grant.images] for grant in found.grants
    }


def login(number: int) -> RegistryLogin:
    return RegistryLogin(username=f"user-{number}", password=Secret(f"pass:{number}"))


def issued(found: IssuancePlan) -> list[Issued]:
    return [Issued(grant=grant, login=login(grant.candidate.credential_id.int)) for grant in found.grants]


def decoded(text: str) -> str:
    return base64.b64decode(text).decode()


def test_images_of_one_credential_are_one_grant_without_duplicates() -> None:
    found = plan(
        wanted("ghcr.io/a/x", "nginx", "ghcr.io/a/y:2", "ghcr.io/a/x:latest"),
        [candidate(1), candidate(2, "docker.io")],
        USE,
    )
    assert granted(found) == {
        1: ["ghcr.io/a/x:latest", "ghcr.io/a/y:2"],
        2: ["docker.io/library/nginx:latest"],
    }
    assert (found.refusals, found.anonymous) == ((), ())


def test_an_image_without_a_credential_is_refused_or_anonymous() -> None:
    kept = [candidate(1), candidate(2, "reg.io", restrictions=NOBODY)]
    refused = plan(wanted("ghcr.io/a/x", "nginx", "nginx"), kept, USE)
    assert [(r.index, str(r.image), r.reason) for r in refused.refusals] == [
        (1, "docker.io/library/nginx:latest", "no_matching_credential")
    ]
    allowed = plan(wanted("ghcr.io/a/x", "nginx", allow_anonymous=True), kept, USE)
    assert allowed.refusals == ()
    assert [str(r.image) for r in allowed.anonymous] == ["docker.io/library/nginx:latest"]
    assert list(granted(allowed)) == [1]


def test_no_image_of_a_registry_with_a_credential_is_anonymous() -> None:
    kept = [candidate(2, "reg.io", restrictions=NOBODY), candidate(1, "reg.io", "other")]
    found = plan(wanted("reg.io/x", allow_anonymous=True), kept, USE)
    assert found.anonymous == ()
    [refusal] = found.refusals
    assert refusal.reason == "no_eligible_credential"
    assert [judged.reason for judged in refusal.candidates] == ["other_repository", "restricted"]


def test_the_caller_can_allow_images_without_an_eligible_credential_to_be_anonymous() -> None:
    stored = [
        candidate(1, "reg.io", restrictions=NOBODY),
        candidate(2, "ghcr.io", "acme"),
        candidate(3, "quay.io", expires_at=NOW),
        candidate(4, "reg.io:5000", scope=Scope(pull=False, push=True)),
    ]
    images = ("reg.io/x", "ghcr.io/acme/x", "ghcr.io/y", "quay.io/x", "reg.io:5000/x", "nginx")
    asked = wanted(*images, allow_anonymous="not_eligible")
    found = plan(asked, stored, USE)
    assert (granted(found), found.refusals) == ({2: ["ghcr.io/acme/x:latest"]}, ())
    assert [(refusal.index, refusal.reason) for refusal in found.anonymous] == [
        (0, "no_eligible_credential"),
        (2, "no_eligible_credential"),
        (3, "no_eligible_credential"),
        (4, "no_eligible_credential"),
        (5, "no_matching_credential"),
    ]
    _, first, *_ = events_of(found, asked, ISSUANCE)
    assert isinstance(first, SecretRefusedV2)
    assert (first.reason, first.anonymous) == ("no_eligible_credential", True)
    assert first.candidates == (RefusedCandidate(credential_id=UUID(int=1), reason="restricted"),)


def test_an_image_of_a_chosen_credential_is_never_anonymous() -> None:
    stored = [candidate(1, "reg.io", restrictions=NOBODY), candidate(2, "reg.io", "acme")]
    asked = wanted("reg.io/x", "nginx", allow_anonymous="not_eligible")
    chosen = replace(USE, chosen=UUID(int=1))
    found = plan(asked, stored, chosen)
    assert [(refusal.index, refusal.reason) for refusal in found.refusals] == [(0, "no_eligible_credential")]
    assert [refusal.index for refusal in found.anonymous] == [1], "the choice is of another registry"
    assert [refusal.index for refusal in plan(asked, stored, USE).anonymous] == [0, 1]


def test_events_name_issued_and_refused_images() -> None:
    asked = wanted("ghcr.io/a/x", "nginx", allow_anonymous=True)
    first, second = events_of(plan(asked, [candidate(1)], USE), asked, ISSUANCE)
    assert first == SecretIssued(
        issuance_id=ISSUANCE,
        project_id="shop",
        workload=WORKLOAD,
        registry_host="ghcr.io",
        images=("ghcr.io/a/x:latest",),
        credential_id=UUID(int=1),
        credential_name="cred-1",
        secret_version=1,
        format="docker_config",
    )
    assert isinstance(second, SecretRefusedV2)
    assert (second.images, second.reason, second.anonymous) == (
        ("docker.io/library/nginx:latest",),
        "no_matching_credential",
        True,
    )
    refused = plan(asked, [candidate(3, restrictions=NOBODY)], USE).refusals
    [event] = refused_events(refused, asked, ISSUANCE, anonymous=False)
    assert (event.registry_host, event.images, event.reason, event.anonymous) == (
        "ghcr.io",
        ("ghcr.io/a/x:latest",),
        "no_eligible_credential",
        False,
    )
    assert event.candidates == (RefusedCandidate(credential_id=UUID(int=3), reason="restricted"),)


def test_all_images_of_a_registry_are_refused_in_one_event() -> None:
    images = [f"ghcr.io/a/x{n}" for n in range(90)] + [f"quay.io/a/x{n}" for n in range(10)]
    asked = wanted(*images)
    kept = [candidate(n, repository_prefixes=(f"a/x{n}",), restrictions=NOBODY) for n in range(90)]
    refused = plan(asked, kept, USE).refusals
    events = refused_events(refused, asked, ISSUANCE, anonymous=False)
    assert [(event.registry_host, event.reason, len(event.images)) for event in events] == [
        ("ghcr.io", "no_eligible_credential", 90),
        ("quay.io", "no_matching_credential", 10),
    ]
    assert {each for event in events for each in event.images} == {f"{image}:latest" for image in images}
    assert len(events[0].candidates) == 100
    assert {each.reason for each in events[0].candidates} == {"other_repository", "restricted"}
    assert all(encode(event) for event in events)


def test_the_record_of_a_refusal_has_at_most_a_hundred_candidates() -> None:
    asked = wanted("ghcr.io/a/x")
    refused = plan(asked, [candidate(n, restrictions=NOBODY) for n in range(1000)], USE).refusals
    [event] = refused_events(refused, asked, ISSUANCE, anonymous=False)
    assert len(event.candidates) == 100


@pytest.mark.parametrize(
    ("images", "kept", "keys"),
    [
        (["nginx", "acme/x"], [candidate(1, "docker.io")], {1: ("https://index.docker.io/v1/",)}),
        (["ghcr.io/acme/x"], [candidate(1, "ghcr.io", "acme")], {1: ("ghcr.io",)}),
        (["reg.io:5000/x"], [candidate(1, "reg.io:5000")], {1: ("reg.io:5000",)}),
        (
            ["ghcr.io/acme/x", "ghcr.io/other/x", "ghcr.io/acme/team/y"],
            [candidate(1, "ghcr.io", "acme/"), candidate(2, "ghcr.io", "acme/team", "third"), candidate(3)],
            {1: ("ghcr.io/acme/x",), 3: ("ghcr.io",), 2: ("ghcr.io/acme/team/y",)},
        ),
        (
            ["acme/x:1", "acme/x:2", "b/z", "nginx"],
            [candidate(1, "docker.io", "acme", "b"), candidate(2, "docker.io", "library")],
            {
                1: ("docker.io/acme/x", "index.docker.io/acme/x", "docker.io/b/z", "index.docker.io/b/z"),
                2: ("docker.io/library/nginx", "index.docker.io/library/nginx"),
            },
        ),
        (
            ["acme/x", "nginx", "ghcr.io/x/y"],
            [candidate(1, "docker.io", "acme"), candidate(2, "docker.io"), candidate(3)],
            {
                1: ("docker.io/acme/x", "index.docker.io/acme/x"),
                2: ("https://index.docker.io/v1/", "docker.io"),
                3: ("ghcr.io",),
            },
        ),
        (  # Kubernetes takes the first key for one of `acme2/x`, too
            ["ghcr.io/acme", "ghcr.io/acme2/x"],
            [candidate(1, "ghcr.io", "acme"), candidate(2)],
            {1: ("ghcr.io/acme",), 2: ("ghcr.io", "ghcr.io/acme2/x")},
        ),
        (
            ["ghcr.io:443/acme/x:1", "GHCR.io/acme/x:1@sha256:" + "a" * 64, "ghcr.io/acme/y"],
            [candidate(1)],
            {1: ("ghcr.io", "ghcr.io:443", "GHCR.io")},
        ),
        (
            ["registry.hub.docker.com/acme/x:1", "registry-1.docker.io/b/y", "index.docker.io/nginx"],
            [candidate(1, "docker.io", "acme"), candidate(2, "docker.io")],
            {
                1: ("docker.io/acme/x", "index.docker.io/acme/x", "registry.hub.docker.com/acme/x"),
                2: (
                    "https://index.docker.io/v1/",
                    "docker.io",
                    "registry.hub.docker.com",
                    "registry-1.docker.io",
                ),
            },
        ),
    ],
)
def test_keys_match_the_lookups_of_clients(
    images: list[str], kept: list[Candidate], keys: dict[int, tuple[str, ...]]
) -> None:
    found = plan(wanted(*images), kept, USE)
    ids = [grant.candidate.credential_id.int for grant in found.grants]
    assert dict(zip(ids, auth_keys(found.grants), strict=True)) == keys
    auths = docker_config(issued(found))["auths"]
    assert {key: entry["username"] for key, entry in auths.items()} == {
        key: f"user-{number}" for number, of_one in keys.items() for key in of_one
    }


def test_a_client_of_hosts_is_refused_what_it_does_not_find() -> None:
    images = ("ghcr.io/acme/x", "nginx", "ghcr.io/other/x", "ghcr.io/acme/y")
    stored = [candidate(1, "ghcr.io", "acme"), candidate(2), candidate(3, "docker.io")]
    assert plan(wanted(*images, client="podman"), stored, USE) == plan(wanted(*images), stored, USE)
    found = plan(wanted(*images, client="docker"), stored, USE)
    assert list(granted(found)) == [3, 2]
    assert [(refusal.index, refusal.reason) for refusal in found.refusals] == [
        (0, "one_login_per_host"),
        (3, "one_login_per_host"),
    ]
    only_prefixes = [candidate(1, "ghcr.io", "acme"), candidate(2, "ghcr.io", "other")]
    found = plan(wanted("ghcr.io/acme/x", "ghcr.io/other/x", client="docker"), only_prefixes, USE)
    assert [refusal.index for refusal in found.refusals] == [0, 1]
    assert plan(wanted("ghcr.io/acme/x", client="docker"), only_prefixes, USE).refusals == ()


def test_an_entry_has_plain_fields_and_their_encoding() -> None:
    found = plan(wanted("ghcr.io/a/x"), [candidate(1)], USE)
    [entry] = docker_config(issued(found))["auths"].values()
    assert entry == {
        "username": "user-1",
        "password": "pass:1",
        "auth": base64.b64encode(b"user-1:pass:1").decode(),
    }
    assert basic(login(1)) == {"username": "user-1", "password": "pass:1"}


def test_an_identity_token_has_no_password() -> None:
    token = RegistryLogin(username="<token>", identity_token=Secret("refresh"))
    [grant] = plan(wanted("ghcr.io/a/x"), [candidate(1)], USE).grants
    [entry] = docker_config([Issued(grant=grant, login=token)])["auths"].values()
    assert set(entry) == {"auth", "identitytoken"}
    assert (entry["identitytoken"], decoded(entry["auth"])) == ("refresh", "<token>:")
    with pytest.raises(ValueError, match="no password"):
        basic(token)


def secret_for(account: str = "acme", project: str = "shop", workload: Workload = WORKLOAD) -> dict[str, Any]:
    found = plan(wanted("ghcr.io/a/x"), [candidate(1)], USE)
    return kubernetes_secret(issued(found), account_id=account, project_id=project, workload=workload)


def test_a_kubernetes_secret_can_be_applied_unchanged() -> None:
    secret = secret_for()
    assert (secret["apiVersion"], secret["kind"], secret["type"]) == (
        "v1",
        "Secret",
        "kubernetes.io/dockerconfigjson",
    )
    found = plan(wanted("ghcr.io/a/x"), [candidate(1)], USE)
    assert json.loads(decoded(secret["data"][".dockerconfigjson"])) == docker_config(issued(found))
    assert secret["metadata"]["annotations"] == {"regcred/workload": "deployment/storefront"}
    assert secret["metadata"]["labels"]["regcred/project"] == "shop"


def test_each_workload_has_its_name_of_a_kubernetes_secret() -> None:
    names = {
        secret_for(account, project, Workload(kind=kind, name=name))["metadata"]["name"]
        for account in ("acme", "umbrella")
        for project in ("shop", "sho")
        for kind in ("deployment", "job")
        for name in ("storefront", "Storefront", "store front", "ünï", "x" * 253)
    }
    assert len(names) == 40
    assert secret_for()["metadata"]["name"] == "regcred-storefront-f806755a9e"
    for name in names:
        assert len(name) <= 63
        assert name.strip("-") == name
        assert name.replace("-", "").isascii()
        assert name.replace("-", "").isalnum()
        assert name == name.lower()


def test_a_label_ends_in_a_letter_or_digit() -> None:
    labels = secret_for("acme--", "shop-")["metadata"]["labels"]
    assert (labels["regcred/account"], labels["regcred/project"]) == ("acme", "shop")


MIRROR = "mirror.example.com"


def a_mirror(number: int, *prefixes: str, **changes: Any) -> Candidate:
    return candidate(number, MIRROR, *prefixes, mirror_of=("docker.io",), **changes)


def issued_at(found: IssuancePlan) -> list[tuple[int, str, list[str]]]:
    return [
        (grant.candidate.credential_id.int, grant.registry_host, [image.repository for image in grant.images])
        for grant in found.grants
    ]


def test_the_login_of_a_mirror_is_issued_beside_that_of_the_registry() -> None:
    known = [candidate(1, "docker.io"), a_mirror(2), candidate(3, "ghcr.io")]
    found = plan(wanted("nginx", "ghcr.io/a/b"), known, USE)
    assert issued_at(found) == [
        (1, "docker.io", ["library/nginx"]),
        (2, MIRROR, ["library/nginx"]),
        (3, "ghcr.io", ["a/b"]),
    ]
    assert auth_keys(found.grants) == [("https://index.docker.io/v1/",), (MIRROR,), ("ghcr.io",)]
    hosts = [event.registry_host for event in events_of(found, wanted("nginx", "ghcr.io/a/b"), ISSUANCE)]
    assert hosts == ["docker.io", MIRROR, "ghcr.io"]


def test_an_image_that_only_a_mirror_has_a_login_for_is_not_refused() -> None:
    found = plan(wanted("nginx", "registry.hub.docker.com/acme/shop"), [a_mirror(2)], USE)
    assert (found.refusals, found.anonymous) == ((), ())
    assert issued_at(found) == [(2, MIRROR, ["library/nginx", "acme/shop"])]
    assert auth_keys(found.grants) == [(MIRROR,)], "no key of the registry has the secret of the mirror"


def test_several_mirrors_and_hosts_have_a_login_each() -> None:
    known = [
        a_mirror(1, "library"),
        a_mirror(2, "acme"),
        candidate(3, "eu.example.com", additional_hosts=("us.example.com",), mirror_of=("docker.io",)),
    ]
    found = plan(wanted("nginx", "acme/shop"), known, USE)
    assert issued_at(found) == [
        (3, "eu.example.com", ["library/nginx", "acme/shop"]),
        (1, MIRROR, ["library/nginx"]),
        (3, "us.example.com", ["library/nginx", "acme/shop"]),
        (2, MIRROR, ["acme/shop"]),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"restrictions": NOBODY},
        {"scope": Scope(pull=False, push=True)},
        {"frozen": True},
        {"expires_at": NOW},
        {"repository_prefixes": ("other",)},
        {"mirror_of": ("ghcr.io",)},
    ],
)
def test_the_rules_hold_for_a_mirror(changes: dict[str, Any]) -> None:
    found = plan(wanted("nginx"), [replace(a_mirror(1), **changes)], USE)
    assert found.grants == ()
    assert [refusal.reason for refusal in found.refusals] == ["no_matching_credential"]


@pytest.mark.parametrize(
    ("client", "format"), [("docker", "docker_config"), ("crane", "docker_config"), (None, "basic")]
)
def test_a_client_that_cannot_find_it_gets_no_login_of_a_mirror(client: Client | None, format: Any) -> None:  # noqa: A002
    asked = replace(wanted("nginx", client=client), format=format)
    assert plan(asked, [a_mirror(1)], USE).grants == ()


def test_a_push_gets_no_login_of_a_mirror() -> None:
    found = plan(
        replace(wanted("nginx"), operation="push"),
        [a_mirror(1, scope=Scope(pull=True, push=True))],
        replace(USE, operation="push"),
    )
    assert found.grants == ()


def test_the_registry_serves_what_a_lost_secret_of_a_mirror_does_not() -> None:
    asked = wanted("nginx")
    found = plan(asked, [candidate(1, "docker.io"), a_mirror(2)], USE)
    without_mirror = without(found, asked, {UUID(int=2): "secret_unreadable"})
    assert (issued_at(without_mirror), without_mirror.refusals) == ([(1, "docker.io", ["library/nginx"])], ())
    neither = without(found, asked, {UUID(int=1): "login_refused", UUID(int=2): "secret_unreadable"})
    assert [refusal.reason for refusal in neither.refusals] == ["login_refused"]
