"""A database of an installation of its own."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.postgres import let_use_vault, migrated_database


@pytest.fixture
def url() -> Iterator[str]:
    """A database of an installation of its own."""
    with migrated_database() as url:
        with psycopg.connect(url, autocommit=True) as owner:
            owner.execute("UPDATE installation.identity SET installation_id = gen_random_uuid()")
        let_use_vault(url)
        yield url


@pytest.fixture
def connection(url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection
