"""An installation with an audit log of two accounts, and `regcred audit seal` as an operator runs it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from click.testing import CliRunner

from chassis.runtime.clock import rfc3339
from contracts.streams import credential_stream
from eventlog.events import encode, encode_metadata
from eventlog.integrity import create_key
from regcred.__main__ import main
from tests.integration.projector import payloads
from tests.integration.projector.payloads import MOMENT, Connection, Log
from tests.integration.projector.query_site import Site, open_site
from tests.support.log import append_one

Json = dict[str, Any]


@dataclass
class Installation:
    site: Site
    url: str
    home: Path

    @property
    def log(self) -> Log:
        return self.site.log

    @property
    def segments(self) -> Path:
        return self.home / "segments"

    @property
    def environment(self) -> dict[str, str]:
        own = {
            "REGCRED_HOME": str(self.home),
            "REGCRED_DATABASE_URL": self.url,
            "REGCRED_LOG_KEY_FILE": str(self.home / "log-key.pem"),
        }
        return {**os.environ, **own}

    def command(self, *arguments: object) -> list[str]:
        return [sys.executable, "-m", "regcred", "audit", *map(str, arguments)]

    def sealing(self, until: datetime, *more: object) -> list[str]:
        return self.command("seal", "--until", rfc3339(until), "--into", self.segments, "--by", "ops", *more)

    def run(
        self, *arguments: object, code: int = 0, database: bool = True
    ) -> subprocess.CompletedProcess[str]:
        return self.finished(self.command(*arguments), code=code, database=database)

    def seal(self, until: datetime, *more: object, code: int = 0) -> str:
        done = self.finished(self.sealing(until, *more), code=code)
        return done.stdout if code == 0 else done.stderr

    def finished(
        self, command: list[str], *, code: int, database: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run it in this process, which saves the second in which a new one starts."""
        environment: dict[str, str | None] = {**self.environment}
        if not database:
            environment["REGCRED_DATABASE_URL"] = None
        _python, _m, _regcred, *arguments = command
        done = CliRunner().invoke(main, arguments, env=environment)
        assert done.exit_code == code, (done.stdout, done.stderr, done.exception)
        return subprocess.CompletedProcess(command, done.exit_code, done.stdout, done.stderr)

    def shown(self, *filters: object, account: str = "acme") -> list[Json]:
        done = self.run("segments", "show", self.segments, "--account", account, *filters, database=False)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def positions(self, table: str = "audit_events", generation: int | None = None) -> list[int]:
        schema = "rm" if generation is None else f"rm_g{generation}"
        rows = self.log.connection.execute(
            f"SELECT position FROM {schema}.{table} ORDER BY position"  # noqa: S608 names of this module
        ).fetchall()
        return [position for (position,) in rows]

    def elsewhere(self, count: int) -> None:
        """Append an event of another account."""
        name, version, data = encode(payloads.added(count))
        meta = encode_metadata(replace(payloads.metadata(count), account_id="globex"))
        append_one(
            self.log.connection,
            credential_stream(UUID(int=0xF << 65 | count)),
            0,
            UUID(int=0xF << 64 | count),
            name=name,
            schema_version=version,
            data=data.decode(),
            meta=meta.decode(),
            account="globex",
        )


@contextmanager
def open_installation(url: str, log: Log, projector: Connection, home: Path) -> Iterator[Installation]:
    """Twelve events of acme at positions 1 to 12, a second apart, and two of globex at 13 and 14."""
    create_key(home / "log-key.pem")
    with open_site(url, log, projector, home) as site:
        installation = Installation(site, url, home)
        log.append(*payloads.of_two_credentials())
        installation.elsewhere(13)
        installation.elsewhere(14)
        site.project()
        yield installation


def after(seconds: float) -> datetime:
    """The time of the event at position n."""
    return MOMENT + timedelta(seconds=seconds)
