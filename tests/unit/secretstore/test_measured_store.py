"""A measured secret store behaves as the store that it wraps, and counts requests and errors."""

from uuid import UUID

import pytest
from prometheus_client import REGISTRY

from chassis.secret import Secret
from secretstore.measured import MeasuredStore
from secretstore.store import SecretMissing, SecretPath, SecretStoreUnavailable, SecretVersionConflict
from tests.support.memory_secretstore import MemorySecretStore

PATH = SecretPath("acme", UUID("0b7c3c5e-6f2d-5d5e-9f57-1c1f6a1f0d11"))


def errors(operation: str, kind: str) -> float:
    labels = {"store": "memory", "operation": operation, "kind": kind}
    return REGISTRY.get_sample_value("secret_store_errors_total", labels) or 0.0


def requests(operation: str) -> float:
    labels = {"store": "memory", "operation": operation}
    return REGISTRY.get_sample_value("secret_store_request_seconds_count", labels) or 0.0


class Away(MemorySecretStore):
    def check(self) -> None:
        raise SecretStoreUnavailable("away")

    def remove(self, path: SecretPath) -> None:
        raise RuntimeError


def test_requests_and_errors_are_counted() -> None:
    store = MeasuredStore(MemorySecretStore(), kind="memory")
    assert store.put(PATH, Secret("canary"), write_id="a", expected_version=0) == 1
    assert store.get(PATH, 1) == Secret("canary")
    with pytest.raises(SecretVersionConflict):
        store.put(PATH, Secret("canary"), write_id="b", expected_version=0)
    with pytest.raises(SecretMissing):
        store.get(PATH, 9)
    assert (requests("put"), requests("get")) == (2, 2)
    assert (errors("put", "conflict"), errors("get", "missing")) == (1, 1)
    assert list(store.paths()) == [PATH]
    away = MeasuredStore(Away(), kind="memory")
    with pytest.raises(SecretStoreUnavailable):
        away.check()
    with pytest.raises(RuntimeError):
        away.remove(PATH)
    assert (errors("check", "unavailable"), errors("remove", "other")) == (1, 1)
