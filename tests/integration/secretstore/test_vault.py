"""A real HashiCorp Vault: the port's suite by AppRole, and what each service's role may."""

from collections.abc import Callable, Iterator

import pytest

from chassis.secret import Secret
from secretstore.store import SecretDestroyed, SecretMissing, SecretPath
from secretstore.vault import VaultStore
from secretstore.vault_session import VaultRefused, VaultSettings
from tests.support.secretstore_suite import CANARY, SecretStoreSuite, a_path, put, shown
from tests.support.vault import Vault

OpenStore = Callable[[str], VaultStore]


@pytest.fixture
def open_store(vault: Vault) -> Iterator[OpenStore]:
    """The store as a role of `infra/vault/bootstrap.sh` has it."""
    opened = []

    def open_as(role: str) -> VaultStore:
        store = VaultStore(
            VaultSettings(
                addr=vault.addr, role_id=vault.role_id(role), secret_id_file=vault.secret_id_file(role)
            )
        )
        opened.append(store)
        return store

    yield open_as
    for store in opened:
        store.close()


@pytest.fixture(scope="module")
def store(vault: Vault) -> Iterator[VaultStore]:
    made = VaultStore(
        VaultSettings(
            addr=vault.addr,
            role_id=vault.role_id("one-machine"),
            secret_id_file=vault.secret_id_file("one-machine"),
        )
    )
    yield made
    made.close()


class TestVaultStore(SecretStoreSuite):
    pass


def test_many_versions_delete_no_earlier_one(store: VaultStore) -> None:
    """Vault's default of ten would forget the first: orphans of failed commands count too."""
    path = a_path("fourteen")
    put(store, path, *(f"s{number}" for number in range(14)))
    assert store.get(path, 1).reveal() == "s0"
    assert len(store.versions(path)) == 14


def refused(attempt: Callable[[], object]) -> None:
    with pytest.raises(VaultRefused) as raised:
        attempt()
    assert raised.value.retry_after > 0
    assert CANARY not in shown(raised.value)
    assert "acme" not in shown(raised.value)  # no path of any request


def test_the_credentials_service_writes_reads_and_destroys_but_lists_nothing(open_store: OpenStore) -> None:
    store, path = open_store("credentials"), a_path("role-credentials")
    put(store, path, "one", "two")
    assert store.get(path, 1).reveal() == "one"
    store.destroy(path, [1])
    assert store.current_version(path) == 2
    store.remove(path)
    refused(lambda: list(store.paths()))


def test_the_verifier_can_only_read(open_store: OpenStore, store: VaultStore) -> None:
    path = a_path("role-verifier")
    put(store, path, CANARY)
    verifier = open_store("verifier")
    assert verifier.get(path, 1).reveal() == CANARY
    refused(lambda: verifier.put(path, Secret(CANARY), write_id="w", expected_version=1))
    refused(lambda: verifier.put(a_path("role-new"), Secret(CANARY), write_id="w", expected_version=0))
    refused(lambda: verifier.destroy(path, [1]))
    refused(lambda: verifier.remove(path))
    refused(lambda: verifier.versions(path))
    refused(lambda: list(verifier.paths()))
    assert store.get(path, 1).reveal() == CANARY


def test_housekeeping_finds_and_destroys_but_cannot_read(
    open_store: OpenStore, store: VaultStore, vault: Vault
) -> None:
    path, removed = a_path("role-house"), a_path("role-house-removed")
    put(store, path, CANARY, CANARY)
    put(store, removed, CANARY)
    keeper = open_store("relay")
    assert {path, removed} <= set(keeper.paths())
    assert [version.version for version in keeper.versions(path)] == [1, 2]
    refused(lambda: keeper.get(path, 1))
    refused(lambda: keeper.put(path, Secret("x"), write_id="w", expected_version=2))
    keeper.destroy(path, [1])
    keeper.remove(removed)
    with pytest.raises(SecretDestroyed):
        store.get(path, 1)
    with pytest.raises(SecretMissing):
        store.get(removed, 1)
    assert store.get(path, 2).reveal() == CANARY
    keeper.delete(path, [2])
    with pytest.raises(SecretDestroyed):
        store.get(path, 2)
    assert vault.status("POST", f"regcred/undelete/{path}", vault.token_of("relay")) == 403
    vault.api("POST", f"regcred/undelete/{path}", {"versions": [2]})
    assert store.get(path, 2).reveal() == CANARY


def test_the_projector_has_no_role(vault: Vault) -> None:
    roles = vault.api("LIST", "auth/approle/role").json()["data"]["keys"]
    assert sorted(roles) == [
        f"regcred-{name}" for name in ("credentials", "one-machine", "relay", "verifier")
    ]
    policies = vault.api("LIST", "sys/policies/acl").json()["data"]["keys"]
    assert "regcred-projector" not in policies


def test_a_policy_covers_no_path_below_a_credential(vault: Vault, store: VaultStore) -> None:
    """`+` is one segment: neither a deeper path nor another mount or system path is within reach."""
    put(store, a_path("policy"), CANARY)
    token = vault.token_of("one-machine")
    deep = "regcred/data/accounts/acme/credentials/a/b"
    for method, path in (
        ("GET", deep),
        ("GET", "regcred/data/accounts/acme"),
        ("GET", "regcred/config"),
        ("LIST", "regcred/metadata"),
        ("POST", f"regcred/undelete/{a_path('policy')}"),
        ("DELETE", f"regcred/data/{a_path('policy')}"),
        ("GET", "sys/policies/acl"),
        ("GET", "auth/approle/role"),
        ("POST", "auth/approle/role/regcred-verifier/secret-id"),
    ):
        assert vault.status(method, path, token) == 403, path


def test_a_path_needs_a_valid_account_id() -> None:
    for name in ("", "../sys", "a/b", "a%2Fb", "a.b", "-a", "a" * 64, "a\n"):
        with pytest.raises(ValueError):
            SecretPath(name, a_path("x").credential_id)


def test_a_second_bootstrap_changes_nothing(vault: Vault, open_store: OpenStore, store: VaultStore) -> None:
    path = a_path("prepared-again")
    earlier_id = vault.role_id("credentials")
    earlier = open_store("credentials")
    put(earlier, path, "one")
    vault.bootstrap()
    assert vault.role_id("credentials") == earlier_id
    assert open_store("credentials").get(path, 1).reveal() == "one"
    assert earlier.get(path, 1).reveal() == "one"
    assert store.get(path, 1).reveal() == "one"
    assert vault.secret_id_file("credentials").stat().st_mode & 0o077 == 0


def test_other_entries_of_the_mount_are_ignored(vault: Vault, store: VaultStore) -> None:
    ours = a_path("beside-foreign")
    put(store, ours, "one")
    identity = ours.credential_id
    foreign = [
        "accounts/acme/credentials/not-an-id",
        f"accounts/acme/credentials/{identity.hex}",
        f"accounts/acme/credentials/{identity}/deeper",
        f"accounts/under_score/credentials/{identity}",
        "accounts/acme/other/thing",
    ]
    for path in foreign:
        vault.api("POST", f"regcred/data/{path}", {"data": {"a": "b"}, "options": {"cas": 0}})
    found = list(store.paths())
    for path in foreign:
        vault.api("DELETE", f"regcred/metadata/{path}")
    assert found.count(ours) == 1
    assert all(path.account_id != "under_score" for path in found)
