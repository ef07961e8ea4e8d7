"""Which workloads lose a credential by a change."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from contracts.credential import Active, fold
from contracts.credential_events import CredentialAccessWithdrawn, Restrictions, Scope
from contracts.issuance_events import Workload
from credentials.domain.commands import WorkloadUsage
from credentials.domain.errors import CredentialInUse
from credentials.domain.impact import losing, may_take_access, withdrawn
from tests.support.builders import ID, MOMENT, added, details, secret_reference

UNTIL = MOMENT + timedelta(days=30)
PUSH = Scope(pull=False, push=True)
BOTH = Scope(pull=True, push=True)
USER = WorkloadUsage(
    project_id="shop",
    workload=Workload(kind="deployment", name="front"),
    secret_version=1,
    last_used_at=MOMENT,
)


def _credential(
    host: str = "ghcr.io", projects: list[str] | None = None, version: int = 1, **changes: Any
) -> Active:
    stored = fold([added(details=details(**changes))])
    assert isinstance(stored, Active)
    return replace(
        stored,
        registry=replace(stored.registry, host=host),
        restrictions=Restrictions(restricted=projects is not None, projects=tuple(projects or ())),
        secret=secret_reference(version),
    )


def _loses(before: Active, after: Active) -> bool:
    lost = losing([USER], before=before, after=after, now=MOMENT, until=UNTIL)
    assert not lost or may_take_access(before, after, now=MOMENT, until=UNTIL), "usages would not be read"
    return bool(lost)


@pytest.mark.parametrize(
    ("before", "after", "loses"),
    [
        (None, None, False),
        (None, ["shop"], False),
        (None, ["blog"], True),
        (None, [], True),
        (["shop"], ["blog"], True),
        (["blog"], ["cart"], False),  # it had lost it already
        (["blog"], None, False),
    ],
)
def test_the_workloads_that_lose_a_credential_by_a_restriction(
    before: list[str] | None, after: list[str] | None, loses: bool
) -> None:
    assert _loses(_credential(projects=before), _credential(projects=after)) is loses


@pytest.mark.parametrize(
    ("before", "after", "loses"),
    [
        ((), (), False),
        ((), ("acme",), True),
        (("acme",), (), False),
        (("acme",), ("acme/",), False),
        (("acme/shop",), ("acme",), False),
        (("acme",), ("acme/shop",), True),
        (("acme", "front"), ("acme",), True),
        (("acme",), ("acme2",), True),
    ],
)
def test_the_workloads_that_lose_a_credential_by_its_prefixes(
    before: tuple[str, ...], after: tuple[str, ...], loses: bool
) -> None:
    changed = _credential(repository_prefixes=after)
    assert _loses(_credential(repository_prefixes=before), changed) is loses


@pytest.mark.parametrize(
    ("before", "after", "loses"),
    [
        (None, None, False),
        (None, 31, False),
        (None, 30, True),
        (31, 1, True),
        (1, 2, False),
        (1, None, False),
        (-1, -2, False),  # it had expired already
    ],
)
def test_the_workloads_that_lose_a_credential_by_its_expiry(
    before: int | None, after: int | None, loses: bool
) -> None:
    """Expiries in days from now."""

    def expiring(days: int | None, version: int = 1) -> Active:
        moment = None if days is None else MOMENT + timedelta(days=days)
        return _credential(version=version, expires_at=moment)

    assert _loses(expiring(before), expiring(after)) is loses
    assert not _loses(expiring(before), expiring(after, version=2)), "the expiry of a new secret"


@pytest.mark.parametrize(
    ("before", "after", "loses"),
    [
        (_credential(), _credential(scope=PUSH), True),
        (_credential(), _credential(scope=BOTH), False),
        (_credential(scope=PUSH), _credential(scope=PUSH, repository_prefixes=("a",)), True),
        (_credential(scope=PUSH), _credential(), True),
        (_credential(scope=BOTH), _credential(), False),
        (_credential(), _credential(host="other.example.com", version=2), True),
        (_credential(), _credential(version=2), False),
        (_credential(), _credential(name="other", description="another"), False),
        (_credential(projects=["blog"]), _credential(projects=["blog"], scope=PUSH), False),
    ],
)
def test_the_workloads_that_lose_a_credential_by_another_change(
    before: Active, after: Active, loses: bool
) -> None:
    assert _loses(before, after) is loses


def test_a_loss_is_recorded_with_the_reason_or_refused() -> None:
    assert withdrawn(ID, [], reason=None) == withdrawn(ID, [], reason="moved") == ()
    with pytest.raises(CredentialInUse) as refused:
        withdrawn(ID, [USER], reason=None)
    assert refused.value.usages == [USER]
    [event] = withdrawn(ID, [USER, USER], reason="moved")
    assert event == CredentialAccessWithdrawn(credential_id=ID, reason="moved", workloads=2)


@pytest.mark.parametrize(
    ("expiry", "loses"), [(timedelta(0), True), (timedelta(days=-1), True), (timedelta(seconds=1), False)]
)
def test_workloads_lose_a_credential_by_a_rollback_to_an_expired_secret(
    expiry: timedelta, loses: bool
) -> None:
    assert _loses(_credential(), _credential(version=3, expires_at=MOMENT + expiry)) is loses
