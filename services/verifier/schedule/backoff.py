"""When a credential is verified again, and how long its user is held back after a refusal. Pure."""

from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from contracts.verdicts import VerificationCode
from verifier.verifier import VERIFIED

# The registry did not say whether the login is valid.
INCONCLUSIVE = frozenset({VerificationCode.UNREACHABLE.value, VerificationCode.RATE_LIMITED.value})
# The registry refused this secret. The schedule does not try it again, because registries lock out users
# after repeated failures.
REFUSED = frozenset({VerificationCode.BAD_CREDENTIAL.value, VerificationCode.EXPIRED.value})

FIRST_RETRY = timedelta(minutes=5)
FIRST_HOLD, LONGEST_HOLD = timedelta(seconds=1), timedelta(hours=1)
FIRST_RATE_HOLD, LONGEST_RATE_HOLD = timedelta(minutes=1), timedelta(hours=24)
_MAX_DOUBLINGS = 12
_JITTER = 0.2


def next_login(
    outcome: str,
    failures: int,
    *,
    now: datetime,
    interval: timedelta,
    credential_id: UUID,
    retry_after: int | None = None,
) -> datetime | None:
    """When a credential is due again after a login with this `outcome` (`verified` or a code).

    `failures` is the number of consecutive logins without a result, `retry_after` is in seconds. `None`: the
    schedule does not try the credential again.
    """
    if outcome in REFUSED:
        return None
    spread = 1 + _JITTER * (_fraction(credential_id) - 0.5)
    if outcome in INCONCLUSIVE:
        wait = FIRST_RETRY * (1 << min(max(failures - 1, 0), _MAX_DOUBLINGS))
        return now + max(min(wait, interval) * spread, timedelta(seconds=retry_after or 0))
    return now + interval * spread


def hold_after(outcome: str, refusals: int, retry_after: int | None) -> timedelta | None:
    """How long logins of the user are held back after `refusals` in a row.

    `retry_after` is in seconds. `None`: the outcome causes no hold.
    """
    doublings = min(refusals - 1, _MAX_DOUBLINGS)
    if outcome in REFUSED:
        return min(FIRST_HOLD * (1 << doublings), LONGEST_HOLD)
    if outcome == VerificationCode.RATE_LIMITED.value:
        requested = timedelta(seconds=retry_after or 0)
        return min(max(FIRST_RATE_HOLD * (1 << doublings), requested), LONGEST_RATE_HOLD)
    return None


def clears_hold(outcome: str) -> bool:
    """Whether a login with this outcome ends the holds of its user."""
    return outcome == VERIFIED


def is_guess(outcome: str | None) -> bool:
    """Whether the secret may have been wrong. Some registries refuse a wrong secret as forbidden."""
    return outcome in REFUSED or outcome == VerificationCode.FORBIDDEN.value


def _fraction(credential_id: UUID) -> float:
    """A number from 0 to 1 that depends on the credential only.

    It spreads credentials that were added together over time.
    """
    return int.from_bytes(sha256(credential_id.bytes).digest()[:4]) / 2**32
