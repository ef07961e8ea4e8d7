"""The files of a deployment: passwords, keys and certificates, each in the volume of its service.

Files are created once. A second run changes only certificates that expire soon, and repairs what an
interrupted run has left, such as a certificate without its key. Services mount their files read-only; no
environment variable contains a secret.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from secrets import token_bytes
from urllib.parse import quote

from contracts.broker import TOPOLOGY
from eventlog.topology import VHOST
from launcher.deployment.broker_definitions import SALT_BYTES, definitions
from launcher.deployment.certificates import Pair, is_due, is_pair, is_signed_by, new_authority, new_server
from operations.migrate.identities import IDENTITIES, OURS, Identity
from operations.migrate.owned_files import PRIVATE, PUBLIC, Owner, ensure_file, folder, password, write
from secretstore.keyfile import KeyFile

_ROOT = Owner(0, 0)
MOUNTED = "/run/secrets"  # the mount point of a service's folder
_OWN, _PASSABLE = 0o700, 0o711
_GROUP_SHARED = 0o2770  # files that Vault's job writes there get the group of the service


class KeyFileMissing(Exception):
    """The key file of an existing deployment is missing. It is not replaced by a new one."""


@dataclass(frozen=True, slots=True)
class Servers:
    """Unix users of the servers in their images, and the host names of the gateway."""

    postgres: Owner
    rabbitmq: Owner
    vault: Owner
    gateway: Owner
    gateway_names: tuple[str, ...]


PUBLISHED = Servers(
    postgres=Owner(999, 999),
    rabbitmq=Owner(999, 999),
    vault=Owner(100, 1000),
    gateway=Owner(99, 99),
    gateway_names=("localhost", "127.0.0.1", "gateway"),
)


def set_up(root: Path, servers: Servers, *, now: datetime) -> None:
    """Create the missing files below `root`, which has a folder for each volume.

    It must run as root, because it sets the owners of the files.
    """
    own = folder(root / "setup", _ROOT)
    _keys(folder(root / "keys", OURS), is_new=not (own / "ca.key").exists())  # before the authority's key
    authority = _authority(own, now)
    passwords = {
        name: ensure_file(own / f"{name}.password", password, _ROOT)
        for name in sorted(
            {name for identity in IDENTITIES.values() for name in _users(identity)} | {"postgres"}
        )
    }
    _postgres(folder(root / "postgres", servers.postgres), servers.postgres, authority, passwords, now)
    _rabbitmq(folder(root / "rabbitmq", servers.rabbitmq), servers.rabbitmq, authority, passwords, now)
    vault = folder(root / "vault", servers.vault)
    _server(vault, servers.vault, authority, ["vault", "localhost", "127.0.0.1"], now)
    folder(root / "operator", servers.vault)
    gateway = folder(root / "gateway", servers.gateway)
    pair = _server(gateway, servers.gateway, authority, servers.gateway_names, now)
    write(gateway / "gateway.pem", pair.certificate + pair.key, servers.gateway)
    for name, identity in IDENTITIES.items():
        # Vault's job may enter the folder to reach its own subfolder, but may not list it.
        mode = _PASSABLE if identity.vault else _OWN
        _service(folder(root / name, OURS, mode), identity, authority, passwords, servers)
    _logins(folder(root / "migrate" / "logins", OURS), passwords)
    write(folder(root / "tokens", OURS) / "ca.crt", authority.certificate, OURS, PUBLIC)
    folder(root / "metrics", OURS)
    ensure_file(folder(root / "grafana", OURS) / "grafana.password", password, OURS)
    for name, owner in {
        "postgres": servers.postgres,
        "rabbitmq": servers.rabbitmq,
        "vault": servers.vault,
        "audit": servers.vault,
        "prometheus": OURS,
        "grafana": OURS,
    }.items():
        folder(root / "data" / name, owner)


def _users(identity: Identity) -> tuple[str, ...]:
    return tuple(
        name for name in (identity.login, identity.broker_user and f"broker.{identity.broker_user}") if name
    )


def _authority(own: Path, now: datetime) -> Pair:
    found = _pair(own / "ca.crt", own / "ca.key")
    if found is None or not is_pair(found):
        found = new_authority(now)
        write(own / "ca.crt", found.certificate, _ROOT, PUBLIC)
        write(own / "ca.key", found.key, _ROOT)
    return found


def _server(path: Path, owner: Owner, authority: Pair, names: Sequence[str], now: datetime) -> Pair:
    certificate, key = path / "tls.crt", path / "tls.key"
    found = _pair(certificate, key)
    if (
        found is None
        or not is_pair(found)
        or not is_signed_by(authority, found.certificate)
        or is_due(found.certificate, names, now)
    ):
        found = new_server(authority, names, now)
        write(certificate, found.certificate, owner, PUBLIC)
        write(key, found.key, owner)
    write(path / "ca.crt", authority.certificate, owner, PUBLIC)
    return found


def _pair(certificate: Path, key: Path) -> Pair | None:
    if not certificate.exists() or not key.exists():
        return None
    return Pair(certificate.read_text(), key.read_text())


def _postgres(path: Path, owner: Owner, authority: Pair, passwords: Mapping[str, str], now: datetime) -> None:
    _server(path, owner, authority, ["postgres", "localhost", "127.0.0.1"], now)
    write(path / "postgres.password", passwords["postgres"], owner)
    write(path / "owner.password", passwords[IDENTITIES["migrate"].login], owner)


def _rabbitmq(path: Path, owner: Owner, authority: Pair, passwords: Mapping[str, str], now: datetime) -> None:
    # The second name is for the Kubernetes operator of RabbitMQ.
    names = ["rabbitmq", "rabbitmq.regcred.svc", "localhost", "127.0.0.1"]
    _server(path, owner, authority, names, now)
    users = [identity.broker_user for identity in IDENTITIES.values() if identity.broker_user]
    document = definitions(
        TOPOLOGY, {user: passwords[f"broker.{user}"] for user in users}, salt=lambda: token_bytes(SALT_BYTES)
    )
    write(path / "definitions.json", json.dumps(document, indent=1), owner)


def _service(
    path: Path, identity: Identity, authority: Pair, passwords: Mapping[str, str], servers: Servers
) -> None:
    write(path / "ca.crt", authority.certificate, OURS, PUBLIC)
    # The password file of libpq: only the reader may have access.
    write(path / "pgpass", f"*:*:*:{identity.login}:{passwords[identity.login]}\n", OURS)
    if identity.broker_user:
        url = _broker_url(identity.broker_user, passwords[f"broker.{identity.broker_user}"])
        write(path / "broker.url", url, OURS)
    if identity.vault:
        folder(path / "vault", Owner(servers.vault.uid, OURS.gid), _GROUP_SHARED)


def _broker_url(user: str, user_password: str) -> str:
    options = {"ca_certs": f"{MOUNTED}/ca.crt", "server_hostname": "rabbitmq"}
    return f"amqps://{user}:{user_password}@rabbitmq:5671/{VHOST}?ssl_options={quote(repr(options), safe='')}"


def _logins(path: Path, passwords: Mapping[str, str]) -> None:
    for identity in IDENTITIES.values():
        if identity.role:
            write(path / f"{identity.login}.password", passwords[identity.login], OURS)


def _keys(path: Path, *, is_new: bool) -> None:
    file = path / "keys.json"
    if not file.exists():
        if not is_new:
            raise KeyFileMissing(
                f"there is no key file {file}, and this deployment had one. Restore it from its backup"
                " (docs/runbook.md, `Restore into a new deployment`)"
            )
        KeyFile.create(file)
    write(file, file.read_text(), OURS, PRIVATE)  # also after a run that was interrupted before this
