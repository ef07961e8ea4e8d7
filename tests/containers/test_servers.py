"""The servers of all other tests, in containers: they start, are killed and restart as the programs do."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import psycopg
import pytest

from tests.support import postgres
from tests.support.containers import ServerContainer, image_of
from tests.support.docker_registry import DockerRegistry
from tests.support.rabbitmq import EXCHANGE, RabbitMQ
from tests.support.vault import Vault


@pytest.fixture(autouse=True)
def in_containers(images: Path | None, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    if images is None:
        pytest.skip("no file names the servers' images")
    monkeypatch.setenv("REGCRED_TEST_IMAGES", str(images))
    image_of.cache_clear()
    yield
    image_of.cache_clear()


def test_servers_run_as_programs_without_an_environment_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REGCRED_TEST_IMAGES")
    image_of.cache_clear()
    assert image_of("VAULT") is None


def test_postgresql_in_a_container_accepts_connections() -> None:
    image = image_of("POSTGRES")
    assert image is not None
    with psycopg.connect(postgres.in_container(image)[0]) as connection:
        assert connection.info.server_version >= 15_00_00
        assert connection.execute("SHOW is_superuser").fetchone() == ("on",)


def test_rabbitmq_keeps_its_queues_over_a_kill() -> None:
    with RabbitMQ() as broker:
        assert isinstance(broker._container, ServerContainer)
        queue = broker.fresh_queue("a.key")
        with broker.connect() as connection:
            channel = connection.channel()
            channel.confirm_delivery()
            channel.basic_publish(EXCHANGE, "a.key", b"kept")
        broker.stop()
        broker.start()
        broker.kill()
        broker.start()
        assert queue in broker.ctl("list_queues", "-p", "regcred", "name")


def test_vault_keeps_its_secrets_over_a_kill() -> None:
    with Vault() as vault:
        assert isinstance(vault._process, ServerContainer)
        secret = {"data": {"password": "x"}, "options": {"cas": 0}}
        vault.api("POST", "regcred/data/accounts/acme/credentials/one", secret)
        vault.kill()
        vault.start()
        found = vault.api("GET", "regcred/data/accounts/acme/credentials/one").json()
        assert found["data"]["data"] == {"password": "x"}
        assert vault.token_of("verifier")


def test_a_registry_requires_its_password() -> None:
    with DockerRegistry(users={"octo": "right"}) as registry:
        assert isinstance(registry._process, ServerContainer)
        url = f"http://{registry.address}/v2/"
        assert httpx2.get(url, trust_env=False).status_code == 401
        assert httpx2.get(url, auth=("octo", "right"), trust_env=False).status_code == 200
        registry.stop()
        registry.start()
        assert httpx2.get(url, auth=("octo", "right"), trust_env=False).status_code == 200
