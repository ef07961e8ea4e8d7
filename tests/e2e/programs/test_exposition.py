"""The exposition of metrics: of one process, and of several that share a folder."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from chassis.observability.exposition import exposition
from chassis.observability.metric_files import FOLDER, PROCESS, MetricFile, empty_folder
from chassis.settings.environment import InvalidSetting, Settings
from tests.support.servers import ROOT

COUNTING = """
import os, sys; sys.path.insert(0, "libs")
from chassis.observability import metrics
metrics.HTTP_REQUESTS.labels("GET", "/x", "200").inc()
metrics.HTTP_SECONDS.labels("GET", "/x", "2xx").observe(0.02)
metrics.VERIFICATIONS.labels("github", "verified").inc()
metrics.VERIFICATION_SECONDS.labels("github").observe(0.4)
metrics.UNCONFIRMED.set(7)
metrics.POOL_IN_USE.labels("some_role").inc()
print(os.getpid(), flush=True)
sys.stdin.read()
"""


def count_elsewhere(folder: Path, name: str) -> subprocess.Popen[str]:
    child = subprocess.Popen(
        [sys.executable, "-c", COUNTING],
        cwd=ROOT,
        env={**os.environ, FOLDER: str(folder), PROCESS: name},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline()
    return child


def scrape(folder: Path | None = None) -> dict[tuple[str, ...], float]:
    environment = {FOLDER: str(folder)} if folder else {}
    text, content_type = exposition([], environment)("text/plain")
    assert content_type.startswith("text/plain")
    return samples(text.decode())


def samples(text: str) -> dict[tuple[str, ...], float]:
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_one_scrape_has_counters_of_all_processes_and_gauges_of_live_ones(tmp_path: Path) -> None:
    folder = tmp_path / "metrics"
    empty_folder(folder)
    children = [count_elsewhere(folder, "one"), count_elsewhere(folder, "two")]
    seen = scrape(folder)
    assert seen["http_requests_total", "GET", "/x", "200"] == 2
    assert seen["http_request_seconds_count", "GET", "/x", "2xx"] == 2
    assert seen["verifications_total", "verified", "github"] == 2
    assert seen["relay_unconfirmed",] == 14
    assert seen["db_pool_in_use", "some_role"] == 2

    files = sorted(folder.iterdir())
    children[0].communicate("")
    children[0] = count_elsewhere(folder, "one")
    seen = scrape(folder)
    assert seen["verifications_total", "verified", "github"] == 3
    assert seen["db_pool_in_use", "some_role"] == 2  # without those of the process that ended
    assert sorted(folder.iterdir()) == files

    for child in children:
        child.communicate("")
    empty_folder(folder)
    assert list(folder.iterdir()) == []
    assert {name for name, *_ in scrape(folder)} == {"regcred_build_info"}


def test_a_value_without_room_is_stored_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_arguments: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    file = MetricFile(str(tmp_path / "counter_one.db"))
    with monkeypatch.context() as disk:
        disk.setattr(os, "posix_fallocate", full)
        file.write_value("a", 1.0, 0.0)
        assert file.read_value("a") == (0.0, 0.0)
        assert list(tmp_path.iterdir()) == []
    for number in range(2000):  # more than fit into the first blocks
        file.write_value(f"key {number}", float(number), 0.0)
    with monkeypatch.context() as disk:
        disk.setattr(os, "posix_fallocate", full)
        for number in range(9000):
            file.write_value(f"key {number}", float(number), 0.0)
    file.write_value("a", 2.0, 0.0)
    file.close()
    again = MetricFile(str(tmp_path / "counter_one.db"))
    assert [again.read_value(key)[0] for key in ("a", "key 1999")] == [2.0, 1999.0]
    again.close()


def test_the_address_of_metrics_is_a_setting() -> None:
    assert Settings.from_environment({}).metrics_listen is None
    settings = Settings.from_environment({"REGCRED_METRICS_LISTEN": "0.0.0.0:9464"})
    assert settings.metrics_listen == ("0.0.0.0", 9464)
    with pytest.raises(InvalidSetting, match="REGCRED_METRICS_LISTEN"):
        Settings.from_environment({"REGCRED_METRICS_LISTEN": "9464"})
