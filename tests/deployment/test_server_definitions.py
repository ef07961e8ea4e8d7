"""`infra/upgrade.sh` replaces our containers one by one. A server whose definition changed would stop for all of them."""

from pathlib import Path

import pytest
import yaml

from tests.support.servers import ROOT
from tests.upgrade.release import RELEASES, extract

SERVERS = ("postgres", "rabbitmq", "vault", "vault-keeper", "gateway")


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("server", SERVERS)
def test_an_upgrade_replaces_no_server(server: str, release: str, tmp_path: Path) -> None:
    extract(release, tmp_path, "docker-compose.yml")
    before, after = (
        yaml.safe_load((folder / "docker-compose.yml").read_text())["services"] for folder in (tmp_path, ROOT)
    )
    assert after[server] == before[server]
