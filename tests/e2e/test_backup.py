"""`regcred backup` of a running one-machine installation, and `regcred restore` into another folder."""

import io
import json
import os
import shutil
import stat
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from chassis.settings.environment import Settings
from operations.log.database import log_database
from secretstore.keyfile import KeyFile
from tests.e2e.conftest import PASSWORD, USER
from tests.support.docker_registry import DockerRegistry
from tests.support.system import System, add_body
from tests.support.timing import PATIENCE, waiting

PASSPHRASE = "correct horse battery staple"


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory, registry: DockerRegistry) -> Iterator[System]:
    """A running installation with one verified credential."""
    allowed = {"REGCRED_VERIFIER_ALLOW": "127.0.0.0/8", "REGCRED_VERIFIER_ALLOW_HTTP": registry.address}
    with System(tmp_path_factory.mktemp("original") / "state", allowed) as running:
        with running.client() as client:
            body = add_body("kept", registry.address, USER, PASSWORD)
            assert client.post("/v1/accounts/acme/credentials", json=body).status_code == 201
        waiting(lambda: statuses(running) == {"kept": "verified"}, "it is verified")
        yield running


@pytest.fixture(scope="module")
def passphrase(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("passphrase") / "passphrase"
    file.write_text(f"{PASSPHRASE}\n")
    return file


@pytest.fixture(scope="module")
def backup(original: System, passphrase: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A backup with the key file, taken while the installation runs."""
    file = tmp_path_factory.mktemp("backup") / "monday.regcred"
    done = run(original.home, "backup", str(file), "--with-keys", "--passphrase-file", str(passphrase))
    assert done.returncode == 0, done.stderr
    assert "the log up to position" in done.stdout
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    return file


def test_a_backup_with_a_wrong_key_file_or_to_an_existing_file_is_refused(
    original: System, backup: Path, tmp_path: Path
) -> None:
    """A key file of another installation in the backup would be found only when it is restored."""
    repeated = run(original.home, "backup", str(backup))
    assert (repeated.returncode, repeated.stderr) == (1, f"Error: {backup}: File exists\n")
    KeyFile.create(tmp_path / "keys.json")
    file = tmp_path / "wrong.regcred"
    done = run(original.home, "backup", str(file), REGCRED_KEY_FILE=str(tmp_path / "keys.json"))
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert line.startswith("Error: the key file is of another installation than the database")
    assert not file.exists()


def test_a_restored_installation_has_the_state_of_the_backup_and_goes_on(
    original: System, backup: Path, passphrase: Path, registry: DockerRegistry, tmp_path: Path
) -> None:
    with original.client() as client:
        body = add_body("later", registry.address, USER, PASSWORD)
        assert client.post("/v1/accounts/acme/credentials", json=body).status_code == 201
    allowed = {"REGCRED_VERIFIER_ALLOW": "127.0.0.0/8", "REGCRED_VERIFIER_ALLOW_HTTP": registry.address}
    restored = System(tmp_path / "restored", allowed)
    restored.home.mkdir()
    done = run(restored.home, "restore", str(backup), "--passphrase-file", str(passphrase))
    assert done.returncode == 0, done.stderr
    assert "the log is intact" in done.stdout
    assert "secrets that can be read: 1" in done.stdout
    with restored:
        assert statuses(restored) == {"kept": "verified"}
        assert password_of(restored, registry) == PASSWORD
        with restored.client() as client:
            body = add_body("new", registry.address, USER, PASSWORD)
            assert client.post("/v1/accounts/acme/credentials", json=body).status_code == 201
        waiting(lambda: statuses(restored) == {"kept": "verified", "new": "verified"}, "it goes on")
    verified = run(restored.home, "log", "verify")
    assert verified.returncode == 0, verified.stdout


def test_nothing_of_a_backup_without_its_keys_reveals_a_secret(
    original: System, backup: Path, tmp_path: Path
) -> None:
    plain = tmp_path / "plain.regcred"
    done = run(original.home, "backup", str(plain))
    assert done.returncode == 0, done.stderr
    assert f"store {original.home / 'keys.json'} separately" in done.stdout
    pepper = json.loads((original.home / "keys.json").read_text())["pepper"].encode()
    for file in (plain, backup):
        assert PASSWORD.encode() not in file.read_bytes()
        assert pepper not in file.read_bytes()
    refused = run(tmp_path / "home", "restore", str(plain))
    assert refused.returncode == 1
    assert "name that of the installation with --key-file" in refused.stderr
    done = run(tmp_path / "home", "restore", str(plain), "--key-file", str(original.home / "keys.json"))
    assert done.returncode == 0, done.stderr


def test_a_wrong_passphrase_a_foreign_key_file_and_a_changed_file_are_refused(
    original: System, backup: Path, passphrase: Path, tmp_path: Path
) -> None:
    """Each leaves a home folder into which the right restore still works."""
    home = tmp_path / "home"
    wrong = tmp_path / "wrong"
    wrong.write_text("another")
    foreign = tmp_path / "keys.json"
    foreign.write_text(changed_keys(original.home / "keys.json"))
    foreign.chmod(0o600)
    for file, options, sentence in (
        (backup, ["--passphrase-file", str(wrong)], "does not open with this passphrase"),
        (backup, ["--key-file", str(foreign)], "different: pepper"),
        (backup, ["--passphrase-file", str(backup)], "is not text in UTF-8"),
        (changed(backup, tmp_path), ["--passphrase-file", str(passphrase)], "database.dump was changed"),
        (cut(backup, tmp_path), ["--passphrase-file", str(passphrase)], "is not a complete backup"),
        (passphrase, [], "is not a complete backup"),
        (with_manifest(backup, tmp_path, sha256=None), [], "manifest.json cannot be read"),
        (
            with_manifest(backup, tmp_path, position=10**9),
            ["--passphrase-file", str(passphrase)],
            "the log has no position",
        ),
        (
            newer(backup, tmp_path),
            ["--passphrase-file", str(passphrase)],
            "restore it with the newer version",
        ),
    ):
        refused = run(home, "restore", str(file), *options)
        assert refused.returncode in {1, 2}, refused.stderr
        assert sentence in refused.stderr
        assert "Traceback" not in refused.stderr
        assert not (home / "postgres").exists()
        assert not (home / "restoring").exists()
    done = run(home, "restore", str(backup), "--passphrase-file", str(passphrase))
    assert done.returncode == 0, done.stderr


def test_an_installation_is_never_replaced(original: System, backup: Path, passphrase: Path) -> None:
    refused = run(original.home, "restore", str(backup), "--passphrase-file", str(passphrase))
    assert refused.returncode == 1
    assert "uses" in refused.stderr
    refused = run(original.home, "backup", str(backup))
    assert refused.returncode == 1
    assert "File exists" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_an_interrupted_restore_leaves_no_installation_and_is_repeated(
    backup: Path, passphrase: Path, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    command = subprocess.Popen(
        [sys.executable, "-m", "regcred", "restore", str(backup), "--passphrase-file", str(passphrase)],
        env=environment(home),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    waiting((home / "restoring" / "postgres" / "postmaster.pid").exists, "its database starts")
    command.kill()
    command.wait(PATIENCE)
    assert not (home / "postgres").exists()
    done = run(home, "restore", str(backup), "--passphrase-file", str(passphrase))
    assert done.returncode == 0, done.stderr
    assert not (home / "restoring").exists()
    (home / "restoring").mkdir()  # as if it had been killed before its last step
    (home / "keys.json").rename(home / "restoring" / "keys.json")
    done = run(home, "restore", str(backup), "--passphrase-file", str(passphrase))
    assert done.returncode == 0, done.stderr
    assert (home / "keys.json").exists()
    assert not (home / "restoring").exists()


def test_a_killed_backup_leaves_no_file(original: System, tmp_path: Path) -> None:
    """Otherwise each killed backup would fill the disk with a copy of the database."""
    command = subprocess.Popen(
        [sys.executable, "-m", "regcred", "backup", str(tmp_path / "killed.regcred")],
        env=environment(original.home),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    dump = f"{original.home}/#"  # how Linux names a file without a name
    waiting(lambda: any(file.startswith(dump) for file in opened_files(command.pid)), "the dump is written")
    command.kill()
    command.wait(PATIENCE)
    assert not any(b"PGDMP" in file.read_bytes()[:5] for file in original.home.iterdir() if file.is_file())


def opened_files(pid: int) -> list[str]:
    found = []
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # the process has closed it meanwhile
            found.append(str(file.readlink()))
    return found


def test_one_damaged_secret_does_not_make_a_backup_worthless(
    original: System, passphrase: Path, tmp_path: Path
) -> None:
    """It was damaged before the backup. All others are restored."""
    with original.client() as client:
        body = add_body("damaged", "registry.example.com", USER, PASSWORD)
        key = client.post("/v1/accounts/acme/credentials", json=body).json()["id"]
    settings = Settings.from_environment({"REGCRED_HOME": str(original.home)})
    damage = "UPDATE encrypted.secrets SET ciphertext = 'x' WHERE credential_id = %s"
    with log_database(settings) as url, psycopg.connect(url) as superuser:
        assert superuser.execute(damage, (key,)).rowcount == 1
    file = tmp_path / "tuesday.regcred"
    options = ["--passphrase-file", str(passphrase)]
    assert run(original.home, "backup", str(file), *options).returncode == 0
    done = run(tmp_path / "home", "restore", str(file), *options)
    assert done.returncode == 0, done.stderr
    assert "1 secrets were damaged when the backup was made" in done.stdout


def environment(home: Path) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith("REGCRED_")}
    return {**own, "REGCRED_HOME": str(home)}


def run(home: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "regcred", *arguments]
    return subprocess.run(
        command,
        env={**environment(home), **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


def statuses(system: System) -> dict[str, str]:
    with system.client() as client:
        items = client.get("/v1/accounts/acme/credentials").json()["items"]
    return {item["name"]: item["verification"]["status"] for item in items}


def password_of(system: System, registry: DockerRegistry) -> str:
    """The password in a pull secret."""
    body = {
        "project_id": "shop",
        "workload": {"kind": "service", "name": "web"},
        "images": [f"{registry.address}/team/app:1"],
    }
    with system.client() as client:
        answer = client.post("/v1/accounts/acme/pull-secrets", json=body)
    assert answer.status_code == 200, answer.text
    return PASSWORD if PASSWORD in answer.text else answer.text


def changed_keys(path: Path) -> str:
    document = json.loads(path.read_text())
    return json.dumps({**document, "pepper": document["keys"]["k1"]})


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def rewritten(path: Path, contents: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def changed(backup: Path, folder: Path) -> Path:
    contents = members(backup)
    dump = bytearray(contents["database.dump"])
    dump[-1] ^= 1
    return rewritten(folder / "changed", {**contents, "database.dump": bytes(dump)})


def cut(backup: Path, folder: Path) -> Path:
    file = folder / "cut"
    shutil.copy(backup, file)
    with file.open("r+b") as opened:
        opened.truncate(file.stat().st_size // 2)
    return file


def newer(backup: Path, folder: Path) -> Path:
    return with_manifest(backup, folder, version="99.0.0", migrations=["9999_eventlog_future.sql"])


def with_manifest(backup: Path, folder: Path, **fields: Any) -> Path:
    """A copy of the backup, in whose manifest these fields have other values."""
    contents = members(backup)
    manifest = {**json.loads(contents["manifest.json"]), **fields}
    name = "-".join(fields)
    return rewritten(folder / name, {**contents, "manifest.json": json.dumps(manifest).encode()})
