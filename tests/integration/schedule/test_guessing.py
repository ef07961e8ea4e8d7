"""Passwords cannot be guessed with many spellings or accounts, and a guessing account delays no other."""

from datetime import timedelta
from itertools import product

import pytest

from contracts.verdicts import VerificationCode as Code
from tests.integration.schedule.test_admission import admission_of, refused
from tests.integration.schedule.world import GOOD, World, bad
from verifier.schedule.admission import Admission, LoginDelayed, LoginIdentity
from verifier.schedule.hold_table import PACE, PACE_BURST
from verifier.schedule.rows import HeldLogin

SPELLINGS = ["".join(letters) for letters in product("oO", "cC", "tT", "oO")]


def octo(account: str = "acme", spelling: str = "octo") -> LoginIdentity:
    return LoginIdentity(registry_host="reg.example", username=spelling, account_id=account)


def guess(admission: Admission, identity: LoginIdentity) -> bool:
    try:
        refused(admission, identity)
    except LoginDelayed:
        return False
    return True


def test_spellings_of_a_username_are_one_user(world: World) -> None:
    admission, begun = admission_of(world), world.at
    assert [guess(admission, octo(spelling=spelling)) for spelling in SPELLINGS].count(True) == 3
    assert world.at - begun == timedelta(seconds=3)


@pytest.mark.parametrize("spelling", ["OCTO", "\uff2f\uff23\uff34\uff2f", "oct\u00a0o", "\u2460cto"])
def test_a_username_is_folded(spelling: str) -> None:
    expected = {"\u2460cto": "1cto"}.get(spelling, "octo")
    assert HeldLogin.of("reg.example", spelling, "acme").name == expected


def test_spellings_in_stored_credentials_are_one_user(world: World) -> None:
    world.verdict = lambda _: bad(Code.BAD_CREDENTIAL)
    credentials = [world.add(user=spelling) for spelling in SPELLINGS]
    assert world.hear(*credentials) == ["bad_credential"] + ["postponed"] * (len(SPELLINGS) - 1)
    for _ in range(60):
        world.tick()
        world.pass_time(timedelta(seconds=1))
    # Holds of 1, 2, 4, 8, 16, 32 seconds; logins of one moment may begin together.
    assert len(world.logins) <= 6 * PACE_BURST


def test_wrong_tries_of_an_account_delay_no_other(world: World) -> None:
    admission = admission_of(world)
    for _ in range(12):
        world.hold("bad_credential", account="guesser")
    with pytest.raises(LoginDelayed):
        refused(admission, octo("guesser"))
    begun = world.at
    refused(admission, octo("owner"), outcome="verified")
    assert world.hear(world.add(account="other-owner")) == ["verified"]
    assert world.at == begun


def test_accounts_together_guess_at_the_pace_of_the_username(world: World) -> None:
    admission, begun, guesses = admission_of(world), world.at, 0
    waits: list[float] = []
    for number in range(40):
        # New accounts in each round: none of them is held.
        guesses += sum(guess(admission, octo(f"guesser-{number}-{n}")) for n in range(5))
        before = world.at
        refused(admission, octo(f"owner-{number}"), outcome="verified")
        waits.append((world.at - before).total_seconds())
    assert guesses <= PACE_BURST + (world.at - begun) / PACE
    assert max(waits) <= 2


def test_guesses_that_begin_together_share_the_pace(world: World) -> None:
    admission = admission_of(world)
    logins = [admission.for_read(octo(f"account-{n}")) for n in range(8)]
    begun, admitted = world.at, []
    for login in logins:
        try:
            login.__enter__()
        except LoginDelayed:
            break
        admitted.append(login)
    assert len(admitted) <= PACE_BURST + (world.at - begun) / PACE
    for login in admitted:
        login.__exit__(None, None, None)
    with admission.for_read(octo("another")):  # accepted logins took nothing away
        pass


def test_an_accepted_login_of_the_same_username_does_not_reset_the_count(world: World) -> None:
    admission, begun = admission_of(world), world.at
    for _ in range(8):
        guess(admission, octo())
        if hold := world.holds.hold_on(octo().held, world.at):
            world.at = hold.until
        refused(admission, octo(), outcome="verified")
    assert world.at - begun > timedelta(seconds=2**7)


def test_the_first_logins_of_many_valid_secrets_of_a_user_are_not_paced(world: World) -> None:
    world.verdict = lambda _: GOOD
    assert world.hear(*[world.add() for _ in range(20)]) == ["verified"] * 20


def test_nothing_of_a_username_stays_after_its_login_was_accepted(world: World) -> None:
    world.hear(world.add())
    with world.pool.connection() as connection:
        count = connection.execute("SELECT count(*) FROM verifier.login_paces").fetchone()
    assert count == (0,)


def test_nothing_of_a_username_stays_a_day_after_its_last_hold(world: World) -> None:
    world.hold("rate_limited", user="limited")
    world.hold("bad_credential", user="guessed")
    world.holds.reserve(HeldLogin.of("reg.example", "guessed", world.account), world.at)
    world.pass_time(timedelta(hours=23))
    world.holds.delete_old(world.at)
    with world.pool.connection() as connection:
        count = "SELECT (SELECT count(*) FROM verifier.account_holds), (SELECT count(*) FROM verifier.login_paces)"
        assert connection.execute(count).fetchone() == (2, 2)
        world.pass_time(timedelta(hours=2))
        world.holds.delete_old(world.at)
        assert connection.execute(count).fetchone() == (0, 0)
