"""The machine itself: the key file, the disk, the ports, the lists of what the verifier may reach."""

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

from chassis.settings.environment import Settings
from operations.doctor.finding import Finding, failed, ok, warning
from registries.dialer.addresses import InvalidPolicy, NetworkPolicy
from secretstore.keyfile import KeyFile, KeyFileError

_MEBIBYTE = 1024 * 1024
_FULL = 256 * _MEBIBYTE  # below it PostgreSQL is about to stop
_FILLING = 2048 * _MEBIBYTE
_SECONDS = 3.0
_METADATA = tuple(map(ip_address, ("169.254.169.254", "fd00:ec2::254")))  # of clouds: it gives out logins


def machine_findings(settings: Settings) -> Iterator[Finding]:
    yield key_file_finding(settings.key_file)
    yield disk_finding(settings.home, shutil.disk_usage(_existing(settings.home)).free)
    yield from port_findings(settings)
    yield from allow_list_findings(settings)


def key_file_finding(path: Path) -> Finding:
    """A missing one is made at the first start only: beside data it means that secrets are lost."""
    check = "key-file"
    try:
        KeyFile.load(path)
    except KeyFileError as error:
        if not path.exists():
            return warning(
                check,
                f"there is no key file {path}",
                "a new installation makes it by `regcred up`; an old one needs it back from its backup",
            )
        return failed(check, str(error), _key_file_remedy(path))
    return ok(check, f"{path} can be used, and by nobody else")


def _key_file_remedy(path: Path) -> str:
    state = path.lstat()
    if not stat.S_ISREG(state.st_mode):
        return f"put the key file itself at {path}, or name it by REGCRED_KEY_FILE"
    if state.st_uid != os.geteuid():
        return "run this as the user of regcred, or `chown` the file to it"
    if stat.S_IMODE(state.st_mode) & 0o077:
        return f"chmod 600 {path}; other users could read the key file, so consider rotating the secrets"
    return "restore it from its backup; without it, encrypted secrets and tokens cannot be used"


def disk_finding(home: Path, free: int) -> Finding:
    """`free`: bytes that are left where regcred keeps its state."""
    check, sentence = "disk", f"{free // _MEBIBYTE:,} MiB are free at {home}"
    remedy = "make room, or move REGCRED_HOME: a full disk stops the database"
    if free < _FULL:
        return failed(check, sentence, remedy)
    return warning(check, sentence, remedy) if free < _FILLING else ok(check, sentence)


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


def port_findings(settings: Settings) -> Iterator[Finding]:
    """Whether regcred answers where it should, or could."""
    check, host, port = "listen", settings.listen_host, settings.listen_port
    where = f"{host}:{port}"
    if _http_get(host, port, "/healthz") == {"status": "ok"}:
        state = _http_get(host, port, "/readyz")
        checks = state.get("checks") if isinstance(state, dict) else None
        away = [name for name, value in (checks or {}).items() if value != "ok"]
        if away:
            remedy = "the findings about them say what to do"
            yield failed(check, f"regcred answers at {where}, but is not ready: {', '.join(away)}", remedy)
        else:
            yield ok(check, f"regcred answers at {where}")
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
                return ok(check, f"something listens at {where}, as a running service does")
            if error.errno == errno.EADDRINUSE:
                remedy = f"stop it (`ss -ltnp` names it), or set {variable} to another port"
                return failed(check, f"another program listens at {where}", remedy)
            remedy = f"set {variable} to an address of this machine and a port that this user may use"
            return failed(check, f"nobody could listen at {where}: {error.strerror or 'unknown'}", remedy)
    return ok(check, f"{where} is free; regcred does not run there")


def _http_get(host: str, port: int, path: str) -> object:
    """The JSON that is answered there; `None` for anything else."""
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
        policy = NetworkPolicy.parse(settings.verifier_allow, settings.verifier_allow_http)
    except InvalidPolicy as error:
        yield failed(check, str(error), "correct REGCRED_VERIFIER_ALLOW or REGCRED_VERIFIER_ALLOW_HTTP")
        return
    wide = [network for network in policy.networks if any(each in network for each in _METADATA)]
    if wide:
        yield warning(
            check,
            f"REGCRED_VERIFIER_ALLOW has {wide[0]}, and with it the metadata services of clouds",
            "name the registries one by one (host:port), or smaller networks",
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
            f"{', '.join(unreachable)} may be spoken to without TLS, but not be reached",
            "list it in REGCRED_VERIFIER_ALLOW too",
        )
        return
    yield ok(check, _listed(policy))
    path = settings.verifier_ca_file
    if path is not None and not os.access(path, os.R_OK):
        remedy = "correct REGCRED_VERIFIER_CA_FILE, or let this user read the file"
        yield failed("verifier.authorities", f"{path} cannot be read", remedy)


def _listed(policy: NetworkPolicy) -> str:
    count = len(policy.networks) + len(policy.hosts) + len(policy.endpoints)
    if not count:
        return "registries at public addresses alone may be reached"
    return f"beside public addresses, {count} entries may be reached"


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
