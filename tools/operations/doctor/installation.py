"""Checks that key file and Vault belong to the installation of the database."""

from collections.abc import Iterator

import psycopg
import requests

from chassis.database import Connection
from chassis.settings.environment import Settings, VaultAccess
from operations.doctor.finding import Finding, failed, ok, warning
from secretstore.installation import compare_keys, has_recorded_keys, has_vault, installation_id, is_copy
from secretstore.keyfile import KeyFile, KeyFileError
from secretstore.personal_keys import unreadable_personal_keys
from secretstore.vault_inspection import VaultInspector


def installation_findings(connection: Connection, settings: Settings) -> Iterator[Finding]:
    """Compare key file and Vault with the database. `connection` may read the schema `installation`."""
    try:
        yield (found := key_finding(connection, settings))
        if found.result == "ok":
            yield from personal_key_findings(connection, settings)
        if settings.vault is not None:
            yield from vault_binding_findings(connection, settings.vault)
    except psycopg.errors.InsufficientPrivilege:
        remedy = "run the check with the login of `regcred migrate` or of a service"
        yield warning("key-file.database", f"{connection.info.user} may not read the check values", remedy)


def key_finding(connection: Connection, settings: Settings) -> Finding:
    """Check that the keys are those with which the data was encrypted."""
    check = "key-file.database"
    if not settings.key_file.exists() and has_recorded_keys(connection):
        remedy = f"restore {settings.key_file} from its backup; until then nothing starts"
        return failed(check, "the data in the database needs a key file, which is missing", remedy)
    try:
        compare_keys(KeyFile.load(settings.key_file), connection)
    except KeyFileError as error:
        return failed(check, str(error), "see `regcred installation --help`")
    return ok(check, "the key file belongs to the database")


def personal_key_findings(connection: Connection, settings: Settings) -> Iterator[Finding]:
    """Check that each key of personal data can be unwrapped. A service could store one that cannot."""
    check = "key-file.personal"
    if not settings.key_file.exists():
        return
    try:
        found = unreadable_personal_keys(KeyFile.load(settings.key_file), connection)
    except psycopg.errors.UndefinedTable:
        return  # the findings about the database say so
    if found:
        sentence = (
            f"{len(found)} keys of personal data cannot be unwrapped, the first of account {found[0][0]}"
        )
        remedy = "find out who wrote it to personal.keys; `regcred installation adopt --keys` gives it up"
        yield failed(check, sentence, remedy)
    else:
        yield ok(check, "the keys of personal data can be unwrapped")


def vault_binding_findings(connection: Connection, access: VaultAccess) -> Iterator[Finding]:
    """Check that Vault belongs to it too. Other findings report a Vault that does not serve."""
    check, expected = "vault.installation", str(installation_id(connection))
    if is_copy(connection):
        sentence = "the database is a copy, and the secrets in Vault belong to the original"
        remedy = "correct REGCRED_DATABASE_URL, or read `regcred installation adopt --help`"
        yield failed(check, sentence, remedy)
        return
    try:
        with VaultInspector(access) as inspector:
            if inspector.health()[0] != "serves" or (login := inspector.log_in()).refused:
                return
            readable, found = inspector.installation(login.token)
    except requests.RequestException:
        return
    if not readable:
        remedy = "give it the policies in infra/vault/policies: run infra/vault/bootstrap.sh"
        yield failed(check, "this service may not read to which installation Vault belongs", remedy)
    elif found is None and has_vault(connection):
        remedy = "correct REGCRED_VAULT_ADDR, or restore Vault; see `regcred installation --help`"
        yield failed(check, "Vault has no secrets of this installation, which used a Vault before", remedy)
    elif found is None:
        yield ok(check, "Vault belongs to no installation yet; the credentials service binds it")
    elif found != expected:
        sentence = f"Vault belongs to installation {found}, the database to {expected}"
        remedy = "correct REGCRED_VAULT_ADDR or REGCRED_DATABASE_URL; see `regcred installation --help`"
        yield failed(check, sentence, remedy)
    else:
        yield ok(check, "Vault and database belong to the same installation")
