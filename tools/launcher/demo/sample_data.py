"""The story is told to an installation, by its REST API; and taken back."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from http import HTTPStatus
from typing import Any

from chassis.runtime.clock import rfc3339
from chassis.secret import Secret
from launcher.demo import story
from regcred.apiclient.errors import ApiProblem, ClientError
from regcred.apiclient.transport import Json
from regcred.cli.lookup import await_read_models, find, named, verified
from regcred.cli.session import CliSession

_VERDICT_SECONDS = 30.0
_POSITION = b"es_log_position "
Tell = Callable[[str], None]


class NotAllowed(ClientError):
    """The verifier does not speak to the demo's registry: the operator has to allow it first."""

    def __init__(self, address: str, code: str) -> None:
        super().__init__(
            f"regcred's verifier may not log in to {address} ({code}); nothing was added. Start regcred with "
            f"REGCRED_VERIFIER_ALLOW={address} REGCRED_VERIFIER_ALLOW_HTTP={address}, "
            "as `make demo` does, and try again"
        )


@dataclass(frozen=True, slots=True)
class DemoResult:
    """How much of the story is there now."""

    credentials: int
    pulls: int
    refused: int


def has_data(session: CliSession) -> bool | None:
    """Whether anything ever happened at this installation, by its metrics; `None` where they do not tell."""
    try:
        with session.api.lines("/metrics", {}, accept="text/plain") as lines:
            for line in lines:
                if line.startswith(_POSITION):
                    return float(line.removeprefix(_POSITION)) > 0
    except ClientError:
        return None
    return None


def stored_credentials(session: CliSession) -> Iterator[tuple[CliSession, Json]]:
    """The demo's credentials that are there, each with a session of its account."""
    for account in story.ACCOUNTS:
        of_account = replace(session, account=account)
        found = session.api.listing(of_account.path("credentials"), {}, limit=None)
        for item in found["items"]:
            if str(item["description"]).endswith(story.MARK):
                yield of_account, item


def check_allowed(session: CliSession, address: str) -> None:
    """Raises `NotAllowed` where the verifier does not take the demo's registry; nothing is kept by asking."""
    body = _body(story.CREDENTIALS[0], address, expires_at=None)
    del body["name"], body["description"], body["restrictions"], body["expires_at"]
    del body["repository_prefixes"]
    path = replace(session, account=story.ACCOUNTS[0]).path("verifications")
    try:
        verdict = session.api.post(path, body).body
    except ApiProblem as problem:
        if not any(error.pointer == "/registry_url" for error in problem.errors):
            raise
        raise NotAllowed(address, "http_not_allowed") from None
    if verdict["status"] != "verified":
        raise NotAllowed(address, str(verdict["code"]))


def fill(session: CliSession, address: str, *, at: datetime, tell: Tell) -> DemoResult:
    """Add all of it. `address`: of the demo's registry; `at`: now, from which expiries count."""
    for each in story.CREDENTIALS:
        of_account = replace(session, account=each.account)
        ends = rfc3339(at + each.expires_in) if each.expires_in else None
        added = session.api.post(of_account.path("credentials"), _body(each, address, expires_at=ends))
        state = verified(of_account, added, seconds=_VERDICT_SECONDS)["verification"]
        tell(f"{each.account}: {each.name} is added, and {state['status']}")
    for account, name, which in story.ROTATED:
        body = {"credential": _login(_stored(account, name), which)}
        _put(replace(session, account=account), name, "secret", body)
        tell(f"{account}: {name} is rotated")
    for account, name, projects in story.RESTRICTED:
        restrictions = {"restricted": True, "projects": list(projects)}
        _put(replace(session, account=account), name, "restrictions", restrictions)
        tell(f"{account}: {name} is restricted to {', '.join(projects)}")
    for account, name in story.VERIFIED_AGAIN:
        of_account = replace(session, account=account)
        path = of_account.path("credentials", named(of_account, name)["id"], "verifications")
        session.api.post(path, None, prefer="wait=10")
    refused = sum(not _pulled(session, pull, address, tell) for pull in story.PULLS)
    for account, name, reason in story.REMOVED:
        _remove(replace(session, account=account), name, reason)
        tell(f"{account}: {name} is removed")
    return DemoResult(len(story.CREDENTIALS) - len(story.REMOVED), len(story.PULLS) - refused, refused)


def take_back(session: CliSession, tell: Tell) -> int:
    """Remove the demo's credentials; how many there were. The log keeps what happened, as it always does."""
    found = list(stored_credentials(session))
    for of_account, item in found:
        _remove(of_account, item["id"], "the demo is over")
        tell(f"{of_account.account}: {item['name']} is removed")
    return len(found)


def _stored(account: str, name: str) -> story.StoredCredential:
    return next(each for each in story.CREDENTIALS if (each.account, each.name) == (account, name))


def _login(each: story.StoredCredential, which: story.Login) -> Json:
    password = Secret(story.PASSWORDS[which])
    return {"kind": "username_password", "username": each.username, "password": password}


def _body(each: story.StoredCredential, address: str, *, expires_at: str | None) -> dict[str, Any]:
    return {
        "name": each.name,
        "provider": each.provider,
        "registry_url": f"http://{address}" if each.registry == story.LOCAL else each.registry,
        "description": f"{each.description} {story.MARK}",
        "credential": _login(each, each.login),
        "scope": {"pull": True, "push": each.push},
        "repository_prefixes": list(each.prefixes),
        "restrictions": {"restricted": each.projects is not None, "projects": list(each.projects or ())},
        "expires_at": expires_at,
    }


def _put(session: CliSession, name: str, what: str, body: Json) -> None:
    found = find(session, name)
    path = session.path("credentials", found.body["id"], what)
    verified(session, session.api.change("PUT", path, found.etag, body), seconds=_VERDICT_SECONDS)


def _pulled(session: CliSession, pull: story.Pull, address: str, tell: Tell) -> bool:
    """Whether the secret was given out. It is looked at by nobody here."""
    kind, name = pull.workload
    body = {
        "images": [f"{address}/{pull.image}"],
        "project_id": pull.project,
        "workload": {"kind": kind, "name": name},
    }
    path = replace(session, account=pull.account).path("pull-secrets")
    try:
        session.api.post(path, body, on_behalf_of=pull.on_behalf_of)
    except ApiProblem as problem:
        if problem.status != HTTPStatus.FORBIDDEN:
            raise
        tell(f"{pull.account}: {kind} {name} is refused {pull.image}: {problem.code}")
        return False
    tell(f"{pull.account}: {kind} {name} pulls {pull.image}")
    return True


def _remove(session: CliSession, id_or_name: str, reason: str) -> None:
    found = find(session, id_or_name)
    path = session.path("credentials", found.body["id"])
    parameters = {"force": "true", "reason": reason}
    await_read_models(session, session.api.change("DELETE", path, found.etag, None, parameters))
