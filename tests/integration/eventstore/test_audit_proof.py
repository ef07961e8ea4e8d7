"""`regcred audit proof` and `regcred audit verify`, as an operator and an auditor run them."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner, Result

from regcred.__main__ import main
from tests.support.eventstore_suite import an_event
from tests.support.log import fresh_log, lead, relay_of, sequence, stream, writing

Run = Callable[..., Result]


@pytest.fixture
def log_url() -> Iterator[str]:
    """Alternating events of two accounts: those of acme at the odd positions 1 to 9."""
    with fresh_log() as url:
        with writing(url) as store, relay_of(url) as relay:
            epoch = lead(relay)
            for number in range(5):
                store.append(stream("a"), number, [an_event(f"a{number}")])
                store.append(stream("b"), number, [an_event(f"b{number}", account="other")])
                sequence(relay, epoch)
        yield url


@pytest.fixture
def run(log_url: str, tmp_path: Path) -> Run:
    def invoke(*arguments: object, url: str | None = log_url) -> Result:
        environment = {
            "REGCRED_HOME": str(tmp_path),
            "REGCRED_DATABASE_URL": url,
            "REGCRED_LOG_KEY_FILE": None,
            "REGCRED_ACCOUNT": None,
        }
        return CliRunner().invoke(main, [*map(str, arguments)], env=environment)

    assert invoke("log", "keygen").exit_code == 0
    return invoke


def test_an_auditor_verifies_a_proof_without_a_database(run: Run, tmp_path: Path) -> None:
    proof, key = tmp_path / "acme.proof", tmp_path / "log-key.pem.pub"
    made = run("audit", "proof", "--account", "acme", "--output", proof)
    assert made.exit_code == 0, made.output
    assert made.stdout.startswith("intact: all 5 events of acme up to position 10 of the log\n")
    assert b'"other"' not in proof.read_bytes()

    checked = run("audit", "verify", proof, "--public-key", key, "--json", url=None)
    assert checked.exit_code == 0, checked.output
    report = json.loads(checked.stdout)
    assert (report["intact"], report["account_id"], report["events"]) == (True, "acme", 5)
    assert json.loads(run("log", "verify", "--json").stdout)["hash"] == report["log_hash"]

    lines = proof.read_bytes().splitlines(keepends=True)
    proof.write_bytes(b"".join(lines[:2] + lines[3:]))
    broken = run("audit", "verify", proof, "--public-key", key, url=None)
    assert (broken.exit_code, broken.stdout) == (
        1,
        "broken: line 3: version 3 of its stream does not follow\n",
    )


def test_a_later_proof_contains_an_earlier_one(run: Run, log_url: str, tmp_path: Path) -> None:
    earlier, later = tmp_path / "1", tmp_path / "2"
    run("audit", "proof", "--account", "acme", "--output", earlier)
    with writing(log_url) as store, relay_of(log_url) as relay:
        store.append(stream("a"), 5, [an_event("a5")])
        sequence(relay, lead(relay))
    run("audit", "proof", "--account", "acme", "--output", later)
    assert run("audit", "verify", later, "--earlier", earlier).exit_code == 0
    assert run("audit", "verify", earlier, "--earlier", later).exit_code == 1
    later.write_bytes(b"")
    assert run("audit", "verify", earlier, "--earlier", later).exit_code == 2


@pytest.mark.parametrize("version", [1, 3, 5])
@pytest.mark.parametrize("whose", ["acme", "other"])
def test_a_changed_log_has_no_proof(run: Run, log_url: str, tmp_path: Path, whose: str, version: int) -> None:
    with psycopg.connect(log_url, autocommit=True) as superuser:
        superuser.execute("ALTER TABLE es.events DISABLE TRIGGER ALL")
        changed = superuser.execute(
            'UPDATE es.events e SET data = data || \'{"reason": "none"}\' FROM es.streams s'
            " WHERE s.stream_id = e.stream_id AND s.account_id = %s AND e.version = %s",
            (whose, version),
        )
        assert changed.rowcount == 1
    proof = tmp_path / "proof"
    made = run("audit", "proof", "--account", "acme", "--output", proof)
    assert made.exit_code == 1
    assert made.stdout.startswith("broken: the log is broken at position")
    assert not proof.exists()


def test_an_unusable_proof_is_inconclusive(run: Run, tmp_path: Path) -> None:
    assert run("audit", "verify", tmp_path / "nothing").exit_code == 2
    assert run("audit", "proof", "--account", "a", "--output", tmp_path / "no" / "folder").exit_code == 2
    assert run("audit", "proof", "--account", "a", "--output", tmp_path / "p", url=None).exit_code == 2
    (tmp_path / "log-key.pem").unlink()
    assert run("audit", "proof", "--account", "a", "--output", tmp_path / "p").exit_code == 2
