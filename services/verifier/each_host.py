"""One verdict for a credential that is for several hosts. Pure, apart from the logins that it calls."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from registries.protocol.login import Verdict
from verifier.expiry import earliest_expiry
from verifier.policy import Verification

_MAX_DETAIL = 500


def log_in_everywhere(verification: Verification, log_in: Callable[[str], Verdict]) -> tuple[str, Verdict]:
    """Log in to each host, until one does not accept the login. Return the verdict, and the host it is from.

    If every host accepts the login, it is verified, and the verdict is that of the first host. The confidence
    is weak if that of one of them is. With several hosts, the detail of a failure begins with the host.
    """
    hosts = verification.hosts
    accepted: list[Verdict] = []
    for host in hosts:
        verdict = log_in(host)
        if verdict.code is not None:
            named = f"{host}: {verdict.detail}" if len(hosts) > 1 else verdict.detail
            return host, replace(verdict, detail=named[:_MAX_DETAIL])
        accepted.append(verdict)
    first, *others = accepted
    if not others:
        return hosts[0], first
    expiry: datetime | None = None
    for verdict in accepted:
        expiry = earliest_expiry(expiry, verdict.secret_expires_at)
    return hosts[0], replace(
        first,
        detail=f"{first.detail}; so do {', '.join(hosts[1:])}"[:_MAX_DETAIL],
        confidence="weak" if any(one.confidence == "weak" for one in accepted) else "strong",
        secret_expires_at=expiry,
        probed=next((one.probed for one in accepted if one.probed), None),
    )
