"""The heaviest load that one account can cause, in a process that does not slow the measuring client."""

import base64
import json
import multiprocessing
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Thread

from bench.platform_load import Server
from chassis.ids import new_id

ACCOUNT = "greedy"
RESPONSE_SECONDS = 40.0  # longer than each wait that a server may grant
_TRICKLE_SECONDS = 0.5
_READY_SECONDS = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Attacked:
    """The attacked server with a token and a credential of the account, and a trusted issuer that hangs."""

    server: Server
    credential_id: str
    registry: str
    issuer: str

    def path(self, below: str) -> str:
        return f"/v1/accounts/{ACCOUNT}/{below}"

    def post(self, below: str, body: object, *headers: str) -> bytes:
        return _with(self.server.request("POST", self.path(below), json.dumps(body).encode()), *headers)

    def get(self, below: str, *headers: str) -> bytes:
        return _with(self.server.request("GET", self.path(below)), *headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """`threads` that call `once` again and again. It returns bytes to send, or sends slowly itself."""

    name: str
    threads: int
    once: Callable[[Attacked], bytes]
    slowly: bool = False


def _waits(attacked: Attacked) -> bytes:
    return attacked.post(f"credentials/{attacked.credential_id}/verifications", {}, "Prefer: wait=30")


def _slow_body(attacked: Attacked) -> bytes:
    return attacked.post("credentials", {"name": "x" * 4000})


def _half_head(attacked: Attacked) -> bytes:
    return attacked.get("credentials", "X-Padding: " + "x" * 4000)


def _unsigned(attacked: Attacked) -> bytes:
    def part(document: Mapping[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(document).encode()).decode().rstrip("=")

    head = part({"alg": "RS256", "typ": "JWT", "kid": new_id().hex})
    claims = part(
        {
            "iss": attacked.issuer,
            "sub": "x",
            "aud": "regcred",
            "exp": int(time.time()) + 600,
            "scope": "admin",
        }
    )
    forged = Server(port=attacked.server.port, token=f"{head}.{claims}.{'A' * 342}")
    return forged.request("GET", attacked.path("credentials"))


def _unknown_position(attacked: Attacked) -> bytes:
    return attacked.get("credentials", f"Regcred-Wait-For: {new_id()}:1")


def _follow(attacked: Attacked) -> bytes:
    return attacked.get("audit-events?follow=true&follow_seconds=3600", "Accept: application/x-ndjson")


def _long_list(attacked: Attacked) -> bytes:
    prefixes = ["a/"] * 170_000  # nearly 1 MiB
    return attacked.post("credentials", _addition(attacked.registry, repository_prefixes=prefixes))


def _refused(attacked: Attacked) -> bytes:
    images = [f"reg{number % 10}.example.com/app-{number}" for number in range(100)]
    workload = {"kind": "job", "name": "x"}
    return attacked.post("pull-secrets", {"images": images, "project_id": "shop", "workload": workload})


def _add(attacked: Attacked) -> bytes:
    return attacked.post("credentials", _addition(attacked.registry))


def _verify(attacked: Attacked) -> bytes:
    return attacked.post(f"credentials/{attacked.credential_id}/verifications", {})


def _list(attacked: Attacked) -> bytes:
    return attacked.get("credentials?limit=200")


def _issue(attacked: Attacked) -> bytes:
    workload = {"kind": "job", "name": "x"}
    images = [f"{attacked.registry}/app"]
    return attacked.post("pull-secrets", {"images": images, "project_id": "shop", "workload": workload})


def _foreign(attacked: Attacked) -> bytes:
    stranger = Server(port=attacked.server.port, token=new_id().hex)
    return _with(stranger.request("GET", attacked.path("credentials")))


def _test(attacked: Attacked) -> bytes:
    return attacked.post("verifications", _addition(attacked.registry))


ATTACKS = (
    Attack(name="26 waits for a verification", threads=26, once=_waits),
    Attack(name="24 slow bodies", threads=24, once=_slow_body, slowly=True),
    Attack(name="24 half heads", threads=24, once=_half_head, slowly=True),
    Attack(name="48 unsigned JWTs of an issuer that hangs", threads=48, once=_unsigned),
    Attack(name="40 waits for unknown positions", threads=40, once=_unknown_position),
    Attack(name="8 streams of the audit trail", threads=8, once=_follow),
    Attack(name="6 lists of 1 MB", threads=6, once=_long_list),
    Attack(name="10 refused pull secrets of 100 images", threads=10, once=_refused),
    Attack(name="12 floods of additions", threads=12, once=_add),
    Attack(name="12 floods of verifications", threads=12, once=_verify),
    Attack(name="300 lists at once", threads=300, once=_list),
    Attack(name="26 floods of pull secrets", threads=26, once=_issue),
    Attack(name="40 floods with tokens of nobody", threads=40, once=_foreign),
    Attack(name="20 tests of logins", threads=20, once=_test),
)


@contextmanager
def under(attack: Attack, attacked: Attacked) -> Iterator[None]:
    """The attack continues while the block runs."""
    context = multiprocessing.get_context("spawn")
    began, stop = context.Event(), context.Event()
    process = context.Process(target=_attack, args=(attack.name, attacked, began, stop), daemon=True)
    process.start()
    try:
        if not began.wait(_READY_SECONDS):
            raise RuntimeError(f"{attack.name} did not begin")
        yield
    finally:
        stop.set()
        process.join(2)
        process.kill()
        process.join()


def _attack(name: str, attacked: Attacked, began: Event, stop: Event) -> None:
    [attack] = [each for each in ATTACKS if each.name == name]
    for _ in range(attack.threads):
        Thread(target=_repeat, args=(attack, attacked, stop), daemon=True).start()
    began.set()
    stop.wait()


def _repeat(attack: Attack, attacked: Attacked, stop: Event) -> None:
    while not stop.is_set():
        try:
            with socket.create_connection(
                ("127.0.0.1", attacked.server.port), RESPONSE_SECONDS
            ) as connection:
                request = attack.once(attacked)
                if attack.slowly:
                    _trickle(connection, request, stop)
                    continue
                connection.sendall(request)
                while connection.recv(65536):  # the server closes it: `Connection: close`
                    pass
        except OSError:
            time.sleep(0.01)  # refused or closed: try again


def _trickle(connection: socket.socket, request: bytes, stop: Event) -> None:
    """Send all but the last bytes of a head or body one by one."""
    head, separator, body = request.partition(b"\r\n\r\n")
    sent = head + separator if body else head[:60]
    connection.sendall(sent)
    for position in range(len(sent), len(request) - 1):
        if stop.wait(_TRICKLE_SECONDS):
            return
        connection.sendall(request[position : position + 1])


def _with(request: bytes, *headers: str) -> bytes:
    line, _, rest = request.partition(b"\r\n")
    more = "".join(f"{header}\r\n" for header in (*headers, "Connection: close"))
    return line + b"\r\n" + more.encode() + rest


def _addition(registry: str, **more: object) -> dict[str, object]:
    return {
        "name": f"n{new_id().hex}",
        "provider": "custom",
        "registry_url": registry,
        "credential": {"kind": "username_password", "username": "octo", "password": new_id().hex},
        **more,
    }
