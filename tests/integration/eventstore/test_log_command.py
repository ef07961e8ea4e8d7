"""`regcred log`, as an operator or an auditor runs it."""

import fcntl
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from operations.embedded_postgres import EmbeddedPostgres
from operations.migrate.migrations import migrate
from regcred.__main__ import main
from secretstore.installation import record_keys
from secretstore.keyfile import KeyFile
from tests.support.eventstore_suite import an_event
from tests.support.log import append_raw, fresh_log, lead, relay_of, sequence, stream, writing
from tests.support.postgres import fresh_database

Run = Callable[..., Result]


@pytest.fixture
def log_url() -> Iterator[str]:
    with fresh_log() as url:
        with writing(url) as store, relay_of(url) as relay:
            for number in range(6):
                store.append(stream("a"), number, [an_event(f"a{number}")])
            assert sequence(relay, lead(relay)) == 6
        yield url


@pytest.fixture
def run(log_url: str, tmp_path: Path) -> Run:
    """Run `regcred log …`; `url=None` is a machine without a database."""

    def invoke(*arguments: object, url: str | None = log_url) -> Result:
        environment = {
            "REGCRED_HOME": str(tmp_path),
            "REGCRED_DATABASE_URL": url,
            "REGCRED_LOG_KEY_FILE": None,
        }
        return CliRunner().invoke(main, ["log", *map(str, arguments)], env=environment)

    return invoke


def tamper(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as superuser:
        for table in ("events", "log"):
            superuser.execute(f"ALTER TABLE es.{table} DISABLE TRIGGER ALL")
        for statement in statements:
            superuser.execute(statement)


CHANGE = """UPDATE es.events SET data = data || '{"reason": "none"}' WHERE version = 3"""


def test_an_intact_log_is_verified(run: Run) -> None:
    result = run("verify", "--without-key-file")
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "intact: positions 1 to 6")
    report = json.loads(run("verify", "--json", "--from", 4).stdout)
    assert len(report.pop("hash")) == 64
    assert report == {
        "intact": True, "complete": True, "from": 4, "position": 6, "waiting": 0, "checkpoint": None, "fault": None,
        "state": None,
    }  # fmt: skip


def test_a_broken_log_is_reported(run: Run, log_url: str) -> None:
    tamper(log_url, CHANGE)
    result = run("verify")
    assert result.exit_code == 1
    assert result.stdout.startswith("broken at position 3: changed_event: ")
    result = run("verify", "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert (report["intact"], report["position"]) == (False, 2)
    assert (report["fault"]["kind"], report["fault"]["position"]) == ("changed_event", 3)
    assert run("verify", "--from", 4).exit_code == 0


def test_changed_state_is_reported_and_written_again(run: Run, log_url: str, tmp_path: Path) -> None:
    KeyFile.create(tmp_path / "keys.json")
    assert "agree with the log" in run("verify").stdout
    assert run("repair").stdout == "no row differed\n"
    with psycopg.connect(log_url, autocommit=True) as superuser:
        superuser.execute("SET session_replication_role = replica")
        superuser.execute(
            "INSERT INTO credentials.current SELECT gen_random_uuid(), 'acme', 'team ' || n, 'github', 'ghcr.io', '{}',"
            " true, false, false, '{}', 1, NULL, 1, now() FROM generate_series(1, 12) AS n"
        )
        superuser.execute("INSERT INTO rm_g1.audit_spans (span, earliest, latest) VALUES (3, now(), now())")
    result = run("verify")
    assert result.exit_code == 1
    assert "13 rows differ from the log; run `regcred log repair`" in result.stdout
    assert "`regcred projections rebuild --switch`" in result.stdout
    assert "rm.audit_spans 3: changed" in result.stdout
    report = json.loads(run("verify", "--json").stdout)
    assert (report["intact"], report["fault"]) == (False, None)
    assert (report["state"]["differences"], len(report["state"]["first"])) == (13, 11)
    assert report["state"]["first"][0]["problem"] == "unexpected"

    assert run("repair").stdout.startswith("12 rows differed")
    assert "1 rows differ" in run("verify").stdout
    (tmp_path / "keys.json").unlink()
    assert run("repair").exit_code == 2


def test_what_cannot_be_compared_without_the_key_file_is_not_reported_as_verified(
    run: Run, log_url: str, tmp_path: Path
) -> None:
    keys = KeyFile.create(tmp_path / "keys.json")
    with psycopg.connect(log_url, autocommit=True) as connection:
        record_keys(keys, connection)
    assert run("verify").exit_code == 0
    (tmp_path / "keys.json").unlink()
    for reason in ("cannot open the key file", "the key file is of another installation"):
        result = run("verify")
        assert result.exit_code == 2
        assert f"NOT compared with the log: names, service tokens and read models: {reason}" in result.stdout
        report = json.loads(run("verify", "--json").stdout)
        assert (report["intact"], report["complete"]) == (True, False)
        omitted = run("verify", "--without-key-file")
        assert omitted.exit_code == 0
        assert "not compared with the log, because of --without-key-file: names, service" in omitted.stdout
        KeyFile.create(tmp_path / "keys.json")


def test_an_event_without_a_position_is_reported(run: Run, log_url: str) -> None:
    with psycopg.connect(log_url, autocommit=True) as connection:
        append_raw(connection, "b", 0, "b0")
    assert "not verified, because they have no position yet: 1" in run("verify").stdout


def test_an_exported_log_is_verified_without_a_database(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "log.ndjson"
    assert run("export", "--output", file).exit_code == 0
    assert run("export").stdout_bytes == file.read_bytes()
    assert len(file.read_bytes().splitlines()) == 6
    result = run("verify", "--export", file, url=None)
    assert (result.exit_code, result.stdout.splitlines()[0]) == (0, "intact: positions 1 to 6")
    assert run("verify", "--export", file, "--from", 6, url=None).exit_code == 0
    assert run("verify", "--export", file, "--from", 9, url=None).exit_code == 2
    file.write_bytes(file.read_bytes().replace(b'\\"a3\\"', b'\\"a4\\"'))
    assert run("verify", "--export", file, url=None).stdout.startswith("broken at position 4: changed_event")
    file.write_text("nonsense\n")
    assert run("verify", "--export", file, url=None).exit_code == 2


def test_a_signed_checkpoint_detects_a_rewritten_or_shortened_log(
    run: Run, log_url: str, tmp_path: Path
) -> None:
    checkpoint, exported = tmp_path / "checkpoint.json", tmp_path / "log.ndjson"
    KeyFile.create(tmp_path / "keys.json")
    assert run("keygen").exit_code == 0
    assert (tmp_path / "log-key.pem").stat().st_mode & 0o777 == 0o600
    assert run("keygen").exit_code == 2
    assert run("checkpoint", "--output", checkpoint).exit_code == 0
    public = tmp_path / "public.pem"
    (tmp_path / "log-key.pem.pub").rename(public)
    prove = ("verify", "--checkpoint", checkpoint, "--public-key", public)

    with psycopg.connect(log_url, autocommit=True) as connection, relay_of(log_url) as relay:
        append_raw(connection, "b", 0, "b0")
        assert sequence(relay, lead(relay)) == 7
    result = run(*prove)
    assert result.exit_code == 0
    assert "as signed up to position 6" in result.stdout
    assert run(*prove, "--from", 7).exit_code == 0
    assert run(*prove, "--from", 8).exit_code == 2
    assert run("export", "--output", exported).exit_code == 0
    assert run(*prove, "--export", exported, url=None).exit_code == 0

    tamper(log_url, "DELETE FROM es.log WHERE position > 5")
    assert run(*prove).stdout.startswith("broken at position 6: missing_after")
    tamper(log_url, CHANGE, "DELETE FROM es.log")
    with relay_of(log_url) as relay:
        assert sequence(relay, lead(relay)) == 7
    assert run("verify").exit_code == 0
    result = run(*prove, "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout)["fault"]["kind"] == "checkpoint_differs"


def test_an_inconclusive_verification_exits_with_two(run: Run, tmp_path: Path) -> None:
    for arguments, url, reason in (
        (["verify"], None, "REGCRED_DATABASE_URL is not set"),
        (["verify"], "host=127.0.0.1 port=9 connect_timeout=1", "the database is unavailable"),
        (["verify", "--from", "99"], ..., "no position 98"),
        (["verify", "--export", str(tmp_path / "absent")], ..., "No such file"),
        (["verify", "--checkpoint", str(tmp_path / "absent")], ..., "No such file"),
        (["checkpoint"], ..., "log-key.pem: No such file"),
    ):
        result = run(*arguments) if url is ... else run(*arguments, url=url)
        assert (result.exit_code, result.stdout) == (2, "")
        assert reason in result.stderr
    with fresh_database() as empty:
        result = run("verify", url=empty)
        assert result.exit_code == 2
        assert "regcred migrate" in result.stderr


def test_a_log_in_its_own_cluster_needs_no_adoption(run: Run) -> None:
    result = run("adopt")
    assert result.exit_code == 0
    assert result.stdout.startswith("nothing to do")


def test_the_embedded_database_is_found_whether_it_runs_or_not() -> None:
    home = Path(tempfile.mkdtemp(prefix="regcred-home-"))
    environment = {"REGCRED_HOME": str(home), "REGCRED_DATABASE_URL": None}
    server = EmbeddedPostgres(home / "postgres")
    try:
        migrate(server.url)
        with (home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # as `regcred up` does
            assert (
                CliRunner().invoke(main, ["log", "verify", "--without-key-file"], env=environment).exit_code
                == 0
            )
            assert server.is_serving()
            server.stop()
            assert (
                CliRunner().invoke(main, ["log", "verify", "--without-key-file"], env=environment).exit_code
                == 2
            )
        result = CliRunner().invoke(main, ["log", "verify", "--without-key-file"], env=environment)
        assert (result.exit_code, result.stdout.splitlines()[0]) == (
            0,
            "intact: there are no events after position 0",
        )
        assert not server.is_serving()
    finally:
        server.stop()
        shutil.rmtree(home)
