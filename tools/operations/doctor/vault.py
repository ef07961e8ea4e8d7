"""Checks of Vault, if the installation has it."""

from collections.abc import Iterator
from pathlib import Path

import requests

from chassis.settings.environment import VaultAccess
from operations.doctor.finding import Finding, failed, ok, warning
from secretstore.vault_inspection import MOUNT, Mount, VaultInspector

_BOOTSTRAP = "run infra/vault/bootstrap.sh as an administrator of Vault"
_HEALTH = {
    "sealed": (
        "it is sealed",
        "unseal it (`vault operator unseal`); until then no secret can be stored or issued",
    ),
    "uninitialised": ("it was never initialised", "`vault operator init`, unseal it, then " + _BOOTSTRAP),
    "unreachable": ("it does not respond", "start Vault, or correct REGCRED_VAULT_ADDR"),
    "untrusted": (
        "its certificate is not trusted",
        "set REGCRED_VAULT_CA_FILE to its certificate authorities",
    ),
    "other": ("it does not respond like Vault", "correct REGCRED_VAULT_ADDR"),
}
_READS, _WRITES = {"read"}, {"create", "update"}


def vault_findings(access: VaultAccess, administrator: Path | None) -> Iterator[Finding]:
    """Check Vault. `administrator`: the file of a token that may read the configuration of the mount."""
    if access.ca_file is not None and not access.ca_file.is_file():
        yield failed("vault", f"there is no file {access.ca_file}", "correct REGCRED_VAULT_CA_FILE")
        return
    with VaultInspector(access) as inspector:
        state, word = inspector.health()
        if state != "serves":
            sentence, remedy = _HEALTH[state]
            yield failed("vault", f"{sentence} ({word})", remedy)
            return
        yield ok("vault", f"it responds ({word})")
        try:
            login = inspector.log_in()
            if login.refused:
                remedy = "create a new secret id or token, and put it into its file: " + _BOOTSTRAP
                yield failed("vault.login", login.refused, remedy)
                return
            yield ok("vault.login", "it accepts the login of this service")
            yield from mount_findings(inspector.mount(login.token))
            if administrator is not None:
                yield cas_finding(inspector.cas_required(administrator), administrator)
        except requests.RequestException as error:
            yield failed("vault", f"it stopped responding ({type(error).__name__})", "read its log")


def mount_findings(mount: Mount) -> Iterator[Finding]:
    """Check mount and policy. A token without rights cannot see the mount. Services have different rights."""
    policies = "give it the policies in infra/vault/policies: " + _BOOTSTRAP
    held = frozenset[str]().union(*mount.capabilities.values()) - {"deny"}
    if not held:
        yield failed("vault.policy", "the policy grants this service no rights", policies)
        return
    if not mount.exists:
        yield failed("vault.mount", f"there is no KV version 2 at {MOUNT}/", _BOOTSTRAP)
        return
    yield ok("vault.mount", f"there is a KV version 2 at {MOUNT}/")
    if "root" in held:
        yield warning("vault.policy", "this service has a root token", policies)
    else:
        data = mount.capabilities["data"]
        may = " and ".join(word for word, needs in (("read", _READS), ("write", _WRITES)) if needs <= data)
        yield ok(
            "vault.policy", f"this service may {may}" if may else "this service may only do housekeeping"
        )


def cas_finding(required: bool | None, administrator: Path) -> Finding:
    """Check that the mount enforces check-and-set.

    Otherwise a write without it could overwrite a version that the log refers to.
    """
    check = "vault.cas_required"
    if required is None:
        remedy = f"use a token that may `vault read {MOUNT}/config`"
        return failed(
            check, f"the token in {administrator} may not read the configuration of the mount", remedy
        )
    if required:
        return ok(check, "the mount requires check-and-set")
    remedy = f"vault write {MOUNT}/config cas_required=true max_versions=100"
    return failed(check, "the mount does not require check-and-set", remedy)
