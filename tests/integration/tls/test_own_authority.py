"""Database, broker and Vault under the authority of a deployment: it is trusted, no other is, and a server with another
name is refused. With real servers, and the connections of the services.
"""

import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import quote

import pika
import psycopg
import pytest

from chassis.database import open_pool
from chassis.runtime.clock import now
from chassis.settings.environment import Settings
from contracts.broker import TOPOLOGY
from eventlog import topology
from eventlog.broker import BrokerUnavailable, declare_topology
from eventlog.broker.connection import parameters
from launcher.deployment.certificates import Pair, new_authority, new_server
from secretstore.store import SecretStoreUnavailable
from secretstore.vault import VaultStore
from secretstore.vault_session import VaultSettings
from tests.support.rabbitmq import DEPLOY, PASSWORDS, RabbitMQ
from tests.support.servers import free_port
from tests.support.timing import PATIENCE
from tests.support.tls_postgres import TLSPostgres
from tests.support.vault import Vault

AUTHORITY = new_authority(now())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("authority"), AUTHORITY)


@pytest.fixture(scope="module")
def another(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority of the same name, with another key."""
    return written(tmp_path_factory.mktemp("another"), new_authority(now()))


def written(folder: Path, pair: Pair) -> Path:
    file = folder / "ca.crt"
    file.write_text(pair.certificate)
    return file


# --- PostgreSQL -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def postgres() -> Iterator[TLSPostgres]:
    with TLSPostgres(new_server(AUTHORITY, ["postgres"], now())) as server:
        yield server


def protocol(database_url: str) -> str:
    """The version of TLS, of a connection as services have it."""
    settings = Settings.from_environment({"REGCRED_DATABASE_URL": database_url})
    with open_pool(settings.required_database_url(), role="postgres", size=1) as pool:
        pool.wait(PATIENCE)
        with pool.connection() as connection:
            row = connection.execute(
                "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
            ).fetchone()
    assert row is not None
    return str(row[0])


def test_the_database_is_reached_under_tls(postgres: TLSPostgres, authority: Path) -> None:
    assert protocol(postgres.url(host="postgres", authority=authority)) == "TLSv1.3"


def test_a_database_of_another_authority_is_refused(postgres: TLSPostgres, another: Path) -> None:
    with pytest.raises(psycopg.OperationalError, match="certificate verify failed"):
        psycopg.connect(postgres.url(host="postgres", authority=another))


def test_a_database_with_another_name_is_refused(postgres: TLSPostgres, authority: Path) -> None:
    with pytest.raises(psycopg.OperationalError, match="does not match host name"):
        psycopg.connect(postgres.url(host="elsewhere", authority=authority))
    # the same, with its name not asked for: so it was the name
    psycopg.connect(postgres.url(host="elsewhere", authority=authority, mode="verify-ca")).close()


def test_a_database_refuses_connections_without_tls(postgres: TLSPostgres, authority: Path) -> None:
    with pytest.raises(psycopg.OperationalError, match="no encryption"):
        psycopg.connect(postgres.url(host="postgres", authority=authority, mode="disable"))


# --- RabbitMQ ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def broker() -> Iterator[tuple[RabbitMQ, int]]:
    """A node that listens under TLS too, and the port."""
    node, port = RabbitMQ(), free_port()
    certificate = new_server(AUTHORITY, ["rabbitmq"], now())
    folder = node._folder
    for name, content in (
        ("ca.crt", AUTHORITY.certificate),
        ("tls.crt", certificate.certificate),
        ("tls.key", certificate.key),
    ):
        (folder / name).write_text(content)
    with (folder / "rabbitmq.conf").open("a") as configuration:
        configuration.write(
            f"listeners.ssl.1 = 127.0.0.1:{port}\n"
            f"ssl_options.cacertfile = {folder}/ca.crt\n"
            f"ssl_options.certfile = {folder}/tls.crt\n"
            f"ssl_options.keyfile = {folder}/tls.key\n"
            "ssl_options.verify = verify_none\nssl_options.fail_if_no_peer_cert = false\n"
            "ssl_options.versions.1 = tlsv1.3\nssl_options.versions.2 = tlsv1.2\n"
        )
    with node:
        yield node, port


def amqps(port: int, authority: Path, name: str) -> str:
    """As `launcher.deployment` writes it into a service's file."""
    options = quote(repr({"ca_certs": str(authority), "server_hostname": name}), safe="")
    url = f"amqps://{DEPLOY}:{PASSWORDS[DEPLOY]}@127.0.0.1:{port}/{topology.VHOST}?ssl_options={options}"
    settings = Settings.from_environment({"REGCRED_BROKER_URL": url})
    assert settings.broker_url
    return settings.broker_url


def test_the_broker_is_reached_under_tls(broker: tuple[RabbitMQ, int], authority: Path) -> None:
    declare_topology(amqps(broker[1], authority, "rabbitmq"), TOPOLOGY)


@pytest.mark.parametrize("who", ["another authority", "another name"])
def test_a_broker_of_another_authority_or_name_is_refused(
    broker: tuple[RabbitMQ, int], authority: Path, another: Path, who: str
) -> None:
    trusted, name = (another, "rabbitmq") if who == "another authority" else (authority, "elsewhere")
    url = amqps(broker[1], trusted, name)
    with pytest.raises(BrokerUnavailable):
        declare_topology(url, TOPOLOGY)
    why = "Hostname mismatch" if who == "another name" else "certificate verify failed"
    with pytest.raises(ssl.SSLCertVerificationError, match=why):
        pika.BlockingConnection(parameters(url))


def test_a_broker_without_tls_is_refused(broker: tuple[RabbitMQ, int], authority: Path) -> None:
    with pytest.raises(BrokerUnavailable):
        declare_topology(amqps(broker[0].port, authority, "rabbitmq"), TOPOLOGY)


# --- Vault ------------------------------------------------------------------------------------------------------


@pytest.fixture
def vault_at(vault: Vault) -> Iterator[Callable[[str, Path], VaultStore]]:
    """The store as the environment describes it. The server's certificate is for the address 127.0.0.1."""
    opened = []

    def open_at(address: str, authority: Path) -> VaultStore:
        variables = {
            "REGCRED_VAULT_ADDR": address,
            "REGCRED_VAULT_ROLE_ID": vault.role_id("verifier"),
            "REGCRED_VAULT_SECRET_ID_FILE": str(vault.secret_id_file("verifier")),
            "REGCRED_VAULT_CA_FILE": str(authority),
        }
        access = Settings.from_environment(variables).vault
        assert access is not None
        store = VaultStore(
            VaultSettings(
                addr=access.address,
                role_id=access.role_id,
                secret_id_file=access.secret_id_file,
                ca_file=access.ca_file,
            )
        )
        opened.append(store)
        return store

    yield open_at
    for store in opened:
        store.close()


def test_vault_is_reached_under_tls(vault: Vault, vault_at: Callable[[str, Path], VaultStore]) -> None:
    vault_at(vault.tls_addr, vault.ca_file).check()


def test_a_vault_of_another_authority_is_refused(
    vault: Vault, another: Path, vault_at: Callable[[str, Path], VaultStore]
) -> None:
    with pytest.raises(SecretStoreUnavailable):
        vault_at(vault.tls_addr, another).check()


def test_a_vault_with_another_name_is_refused(
    vault: Vault, vault_at: Callable[[str, Path], VaultStore]
) -> None:
    with pytest.raises(SecretStoreUnavailable):
        vault_at(vault.tls_addr.replace("127.0.0.1", "localhost"), vault.ca_file).check()
