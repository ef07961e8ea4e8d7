"""Adds the sample data of the demo to an installation through its REST API, and removes it."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus

from launcher.demo.sample_data import ACCOUNTS, CREDENTIALS, MARK, PULLS, Pull, SampleCredential, restrictions
from regcred.apiclient.errors import ApiProblem, ClientError
from regcred.apiclient.transport import Json
from regcred.cli.lookup import await_read_models, find, verified
from regcred.cli.session import CliSession

_VERDICT_SECONDS = 30.0
_TRAIL_SECONDS = 3.0
_POLL_SECONDS = 0.5
_POSITION = b"es_log_position "
Report = Callable[[str], None]


class NotAllowed(ClientError):
    """The verifier must not connect to the registry of the demo. The operator has to allow it first."""

    def __init__(self, address: str, code: str) -> None:
        super().__init__(
            f"regcred's verifier may not log in to {address} ({code}); nothing was added. Start regcred with "
            f"REGCRED_VERIFIER_ALLOW={address} REGCRED_VERIFIER_ALLOW_HTTP={address}, "
            "as `make demo` does, and try again"
        )


@dataclass(frozen=True, slots=True)
class DemoResult:
    """Numbers of credentials, and of issued and refused pull secrets."""

    credentials: int
    pulls: int
    refused: int


def has_data(session: CliSession) -> bool | None:
    """Whether an account has events. `None` if that cannot be determined.

    Then the log has more events than the trail of the installation: tokens and reads of it are no data.
    """
    deadline = time.monotonic() + _TRAIL_SECONDS
    try:
        while True:
            position = _log_position(session)
            if position is None:
                return None
            of_installation = len(session.api.listing("/v1/audit-events", {}, limit=None)["items"])
            if of_installation >= position:
                return False
            if time.monotonic() > deadline:  # the trail may be behind the log for a moment
                return True
            time.sleep(_POLL_SECONDS)
    except ClientError:
        return None


def _log_position(session: CliSession) -> float | None:
    with session.api.lines("/metrics", {}, accept="text/plain") as lines:
        for line in lines:
            if line.startswith(_POSITION):
                return float(line.removeprefix(_POSITION))
    return None


def stored_credentials(session: CliSession) -> Iterator[tuple[CliSession, Json]]:
    """The stored credentials of the demo, each with a session of its account."""
    for account in ACCOUNTS:
        of_account = replace(session, account=account)
        found = of_account.api.listing(of_account.path("credentials"), {}, limit=None)
        for item in found["items"]:
            if str(item["description"]).endswith(MARK):
                yield of_account, item


def check_allowed(session: CliSession, address: str) -> None:
    """Test a login at the registry of the demo, without storing anything.

    Raises:
        NotAllowed: the verifier must not connect to that registry.
    """
    path = replace(session, account=ACCOUNTS[0]).path("verifications")
    try:
        verdict = session.api.post(path, CREDENTIALS[0].login(address)).body
    except ApiProblem as problem:
        if not any(error.pointer == "/registry_url" for error in problem.errors):
            raise
        raise NotAllowed(address, "http_not_allowed") from None
    if verdict["status"] != "verified":
        raise NotAllowed(address, str(verdict["code"]))


def add_all(session: CliSession, address: str, *, at: datetime, report: Report) -> DemoResult:
    """Add the sample data. `address` is that of the registry of the demo. Expiries count from `at`."""
    accounts = {account: replace(session, account=account) for account in ACCOUNTS}
    for each in CREDENTIALS:
        _add(accounts[each.account], each, address, at, report)
    for each in CREDENTIALS:
        _change(accounts[each.account], each, report)
    issued = [_pull(accounts[pull.account], pull, address, report) for pull in PULLS]
    removed = [each for each in CREDENTIALS if each.removed_because is not None]
    for each in removed:
        _remove(accounts[each.account], each.name, each.removed_because or "")
        report(f"{each.account}: {each.name} is removed")
    return DemoResult(len(CREDENTIALS) - len(removed), issued.count(True), issued.count(False))


def remove_all(session: CliSession, report: Report) -> int:
    """Remove the credentials of the demo, and return their number. The log retains their events."""
    found = list(stored_credentials(session))
    for of_account, item in found:
        _remove(of_account, item["id"], "the demo is over")
        report(f"{of_account.account}: {item['name']} is removed")
    return len(found)


def _add(session: CliSession, each: SampleCredential, address: str, at: datetime, report: Report) -> None:
    added = session.api.post(session.path("credentials"), each.body(address, at))
    state = verified(session, added, seconds=_VERDICT_SECONDS)["verification"]
    report(f"{session.account}: {each.name} is added, status {state['status']}")


def _change(session: CliSession, each: SampleCredential, report: Report) -> None:
    if each.rotated_to is not None:
        _put(session, each.name, "secret", {"credential": each.secret(each.rotated_to)})
        report(f"{session.account}: {each.name} is rotated")
    if each.restricted_to is not None:
        _put(session, each.name, "restrictions", restrictions(each.restricted_to))
        report(f"{session.account}: {each.name} is restricted to {', '.join(each.restricted_to)}")
    if each.verified_again:
        path = session.path("credentials", find(session, each.name).body["id"], "verifications")
        session.api.post(path, None, prefer="wait=10")


def _put(session: CliSession, name: str, part: str, body: Json) -> None:
    found = find(session, name)
    path = session.path("credentials", found.body["id"], part)
    verified(session, session.api.change("PUT", path, found.etag, body), seconds=_VERDICT_SECONDS)


def _pull(session: CliSession, pull: Pull, address: str, report: Report) -> bool:
    """Request a pull secret, and return whether it was issued. The secret itself is not read."""
    kind, name = pull.workload
    body = {
        "images": [f"{address}/{pull.image}"],
        "project_id": pull.project,
        "workload": {"kind": kind, "name": name},
    }
    try:
        session.api.post(session.path("pull-secrets"), body, on_behalf_of=pull.on_behalf_of)
    except ApiProblem as problem:
        if problem.status != HTTPStatus.FORBIDDEN:
            raise
        report(f"{session.account}: {kind} {name} is refused {pull.image}: {problem.code}")
        return False
    report(f"{session.account}: {kind} {name} pulls {pull.image}")
    return True


def _remove(session: CliSession, id_or_name: str, reason: str) -> None:
    found = find(session, id_or_name)
    path = session.path("credentials", found.body["id"])
    parameters = {"force": "true", "reason": reason}
    await_read_models(session, session.api.change("DELETE", path, found.etag, None, parameters))
