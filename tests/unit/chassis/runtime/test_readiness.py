"""Readiness: the dependencies of a process, some of which a caller may exclude."""

from chassis.runtime.readiness import readiness


def fails() -> None:
    raise ConnectionError("away")


def works() -> None:
    pass


def test_one_unavailable_dependency_is_enough() -> None:
    checks = {"database": works, "secret_store": fails}
    assert readiness(checks) == (
        503,
        {"ready": False, "checks": {"database": "ok", "secret_store": "unavailable"}},
    )


def test_a_dependency_that_all_replicas_share_can_be_excluded() -> None:
    called: list[str] = []
    checks = {"database": works, "secret_store": lambda: called.append("secret_store")}
    assert readiness(checks, exclude=["secret_store"]) == (200, {"ready": True, "checks": {"database": "ok"}})
    assert called == []
