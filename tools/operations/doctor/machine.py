"""Checks of the machine: the key file, the disk, the ports, and the allow lists of the verifier."""

import errno
import json
import os
import shutil
import socket
import stat
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException
from ipaddress import ip_address
from pathlib import Path

from chassis.settings.environment import InvalidSetting, Settings
from operations.doctor.finding import Finding, failed, ok, warning
from registries.dialer.addresses import NetworkPolicy
from registries.dialer.settings import network_policy, trusted_authorities
from secretstore.keyfile import KeyFile, KeyFileError

_MEBIBYTE = 1024 * 1024
_FULL = 256 * _MEBIBYTE  # with less, PostgreSQL is about to stop
_FILLING = 2048 * _MEBIBYTE
_SECONDS = 3.0
# Metadata services of clouds, which issue logins.
_METADATA = tuple(map(ip_address, ("169.254.169.254", "fd00:ec2::254")))


def machine_findings(settings: Settings) -> Iterator[Finding]:
    yield key_file_finding(settings.key_file)
    yield disk_finding(settings.home, shutil.disk_usage(_existing(settings.home)).free)
    yield from port_findings(settings)
    yield from allow_list_findings(settings)


def key_file_finding(path: Path) -> Finding:
    """Check the key file. A missing file is only a warning, because the first start creates it."""
    check = "key-file"
    try:
        KeyFile.load(path)
    except KeyFileError as error:
        if not path.exists():
            return warning(
                check,
                f"there is no key file {path}",
                "a new installation creates it with `regcred up`; an existing one needs it from its backup",
            )
        return failed(check, str(error), _key_file_remedy(path))
    return ok(check, f"{path} is usable, and only this user can read it")


def _key_file_remedy(path: Path) -> str:
    state = path.lstat()
    if not stat.S_ISREG(state.st_mode):
        return f"put the key file itself at {path}, or set REGCRED_KEY_FILE to its path"
    if state.st_uid != os.geteuid():
        return "run this command as the user of regcred, or `chown` the file to this user"
    if stat.S_IMODE(state.st_mode) & 0o077:
        return f"chmod 600 {path}; other users could read the key file, so consider rotating the secrets"
    return "restore it from its backup; without it, encrypted secrets and tokens cannot be used"


def disk_finding(home: Path, free: int) -> Finding:
    """Check the free space. `free`: bytes on the file system of `home`."""
    check, sentence = "disk", f"{free // _MEBIBYTE:,} MiB are free at {home}"
    remedy = "free some space, or move REGCRED_HOME: a full disk stops the database"
    if free < _FULL:
        return failed(check, sentence, remedy)
    return warning(check, sentence, remedy) if free < _FILLING else ok(check, sentence)


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


def port_findings(settings: Settings) -> Iterator[Finding]:
    """Check whether regcred responds at its addresses, or else could listen there."""
    check, host, port = "listen", settings.listen_host, settings.listen_port
    where = f"{host}:{port}"
    if _http_get(host, port, "/healthz") == {"status": "ok"}:
        state = _http_get(host, port, "/readyz")
        checks = state.get("checks") if isinstance(state, dict) else None
        unavailable = [name for name, value in (checks or {}).items() if value != "ok"]
        if unavailable:
            remedy = "see the findings about these"
            sentence = f"regcred responds at {where}, but is not ready: {', '.join(unavailable)}"
            yield failed(check, sentence, remedy)
        else:
            yield ok(check, f"regcred responds at {where}")
    else:
        yield _bindable(check, host, port, "REGCRED_LISTEN")
    if settings.metrics_listen is not None:
        yield _bindable("metrics-listen", *settings.metrics_listen, "REGCRED_METRICS_LISTEN")


def _bindable(check: str, host: str, port: int, variable: str) -> Finding:
    where = f"{host}:{port}"
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE and check == "metrics-listen":
                return ok(check, f"a program listens at {where}, probably a running service")
            if error.errno == errno.EADDRINUSE:
                remedy = f"stop it (`ss -ltnp` shows it), or set {variable} to another port"
                return failed(check, f"another program listens at {where}", remedy)
            remedy = f"set {variable} to an address of this machine and a port that this user may use"
            return failed(check, f"regcred cannot listen at {where}: {error.strerror or 'unknown'}", remedy)
    return ok(check, f"{where} is free; regcred does not run there")


def _http_get(host: str, port: int, path: str) -> object:
    """The JSON of the response, or `None`."""
    wildcards = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    connection = HTTPConnection(wildcards.get(host, host), port, timeout=_SECONDS)
    try:
        connection.request("GET", path)
        found: object = json.loads(connection.getresponse().read(_MEBIBYTE))
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        connection.close()
    return found


def allow_list_findings(settings: Settings) -> Iterator[Finding]:
    check = "verifier.allow-lists"
    try:
        policy = network_policy(settings)
    except InvalidSetting as error:
        yield failed(check, str(error), f"correct {error.name}")
        return
    wide = [network for network in policy.networks if any(each in network for each in _METADATA)]
    if wide:
        yield warning(
            check,
            f"REGCRED_VERIFIER_ALLOW contains {wide[0]}, which includes the metadata services of clouds",
            "list the registries one by one (host:port), or smaller networks",
        )
        return
    unreachable = [
        f"{host}:{port}"
        for host, port in sorted(policy.http)
        if _is_address(host) and not policy.permits(host, port, ip_address(host))
    ]
    if unreachable:
        yield warning(
            check,
            f"{', '.join(unreachable)} is allowed without TLS, but its address is blocked",
            "list it in REGCRED_VERIFIER_ALLOW too",
        )
        return
    yield ok(check, _summary(policy))
    try:
        trusted_authorities(settings)
    except InvalidSetting as error:
        yield failed(
            "verifier.authorities", str(error), f"correct {error.name}, or let this user read the file"
        )


def _summary(policy: NetworkPolicy) -> str:
    count = len(policy.networks) + len(policy.hosts) + len(policy.endpoints)
    if not count:
        return "only public addresses are allowed"
    return f"public addresses and {count} entries are allowed"


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
