"""Keys of accounts: the first event creates one key, which works for that account only."""

from concurrent.futures import ThreadPoolExecutor
from secrets import token_bytes
from threading import Barrier

import pytest
from cryptography.exceptions import InvalidTag

from chassis.database import open_pool
from chassis.runtime.unavailable import Unavailable
from eventlog.events import PersonalKeyMissing
from eventlog.storage import PersonalKeys
from eventlog.storage.personal_keys import LIFE_SECONDS
from secretstore.keyfile import KEY_BYTES, KeyFile, KeyFileError
from secretstore.personal_keys import KeyFileWrapping
from tests.support.timing import PATIENCE

KEYS = KeyFile(primary="k1", keys={"k1": token_bytes(KEY_BYTES)}, pepper=token_bytes(KEY_BYTES))
NONCE = b"n" * 12


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def keys(clock: Clock) -> PersonalKeys:
    return PersonalKeys(KeyFileWrapping(KEYS), monotonic=clock, random_bytes=token_bytes)


def test_concurrent_writers_create_one_key(database_url: str) -> None:
    at_once = 8
    together = Barrier(at_once)
    with open_pool(database_url, role="regcred_query", size=at_once) as pool:

        def first_event(_: int) -> tuple[int, bytes]:
            mine = keys(Clock())
            with pool.connection():
                pass
            together.wait(PATIENCE)
            key = mine.current(pool, "race")
            return key.number, key.cipher.encrypt(NONCE, b"x", b"")

        with ThreadPoolExecutor(at_once) as threads:
            made = set(threads.map(first_event, range(at_once)))
    assert len(made) == 1


def test_a_key_is_read_again_after_its_lifetime(database_url: str) -> None:
    clock = Clock()
    mine = keys(clock)
    with open_pool(database_url, role="regcred_verifier", size=1) as pool:
        first = mine.current(pool, "aged")
        clock.now = LIFE_SECONDS - 1
        assert mine.current(pool, "aged") is first
        clock.now = LIFE_SECONDS + 1
        assert mine.current(pool, "aged") is not first
        assert mine.current(pool, "aged").number == first.number


def test_a_wrapped_key_unwraps_only_for_its_account_and_key_file() -> None:
    wrapping, key = KeyFileWrapping(KEYS), token_bytes(32)
    wrapped = wrapping.wrap("acme", key)
    assert wrapping.unwrap("acme", wrapped) == key
    other = KeyFile(primary="k1", keys={"k1": token_bytes(KEY_BYTES)}, pepper=token_bytes(KEY_BYTES))
    for account, text, by in (
        ("other", wrapped, wrapping),
        ("acme", wrapped[:-1], wrapping),
        ("acme", b"k9" + wrapped[2:], wrapping),
        ("acme", wrapped, KeyFileWrapping(other)),
    ):
        with pytest.raises(KeyFileError):
            by.unwrap(account, text)


def test_with_a_key_that_does_not_unwrap_only_its_own_events_cannot_be_read() -> None:
    """Another service that may write events can store such a key. It stops no reader of the log."""
    wrapped = KeyFileWrapping(KEYS).wrap("acme", token_bytes(32))
    for garbage in (b"\xff", b"k1", b"k1\0" + b"n" * 40, wrapped[:-1]):
        cipher = keys(Clock()).cipher("acme", garbage)
        assert cipher is not None
        with pytest.raises(InvalidTag):
            cipher.decrypt(NONCE, b"x" * 16, b"")


def test_a_key_that_the_key_file_lacks_is_an_outage(database_url: str) -> None:
    """The key file of this process is older than the key."""
    newer = KeyFile(primary="k2", keys={"k2": token_bytes(KEY_BYTES)}, pepper=token_bytes(KEY_BYTES))
    wrapped = KeyFileWrapping(newer).wrap("acme", token_bytes(32))
    cipher = keys(Clock()).cipher("acme", wrapped)
    assert cipher is not None
    with pytest.raises(PersonalKeyMissing):
        cipher.decrypt(NONCE, b"x" * 16, b"")
    with open_pool(database_url, role="regcred_verifier", size=1) as pool:
        with_newer = PersonalKeys(KeyFileWrapping(newer), monotonic=Clock(), random_bytes=token_bytes)
        with_newer.current(pool, "rotated")
        with pytest.raises(PersonalKeyMissing) as raised:
            keys(Clock()).current(pool, "rotated")
    assert isinstance(raised.value, Unavailable)  # the API responds with 503
