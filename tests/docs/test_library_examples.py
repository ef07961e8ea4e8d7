"""The example in the README of the event log runs on a database that contains only the log."""

import re
import subprocess
import sys

import psycopg
import pytest

from chassis.migrations import migrate
from tests.support.postgres import fresh_database
from tests.support.servers import ROOT

pytestmark = pytest.mark.integration


def test_the_example_of_the_event_log_runs() -> None:
    readme = (ROOT / "libs" / "eventlog" / "README.md").read_text(encoding="utf-8")
    [example] = re.findall(r"^```python\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    with fresh_database() as url:
        migrate(url, ["eventlog.storage"])
        with psycopg.connect(url) as superuser:
            role = superuser.info.user
        done = subprocess.run(
            [sys.executable, "-c", f"URL, ROLE = {url!r}, {role!r}\n{example}"],
            env={"PYTHONPATH": ":".join(sys.path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        printed = done.stdout.splitlines()
        assert {"2", "1 Bob", "2 nobody"} <= set(printed), done.stdout
        with psycopg.connect(url) as superuser:
            assert superuser.execute("SELECT position FROM es.checkpoints").fetchall() == [(2,)]
            assert superuser.execute("SELECT action, person FROM es.interventions").fetchall() == [
                ("redriven", "ada")
            ]
