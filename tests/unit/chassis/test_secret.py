"""Only `reveal()` shows a secret."""

import copy
import io
import json
import logging
import pickle
import pprint
import string
import traceback
from collections.abc import Callable
from dataclasses import asdict, astuple, dataclass
from functools import partial

import msgspec
import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from chassis.secret import REDACTED, Secret
from registries.logins.registry_login import RegistryLogin

CANARY = "canary-1b7e-do-not-show"


@dataclass(frozen=True, slots=True)
class Holder:
    name: str
    secret: Secret


SECRET = Secret(CANARY)
HOLDER = Holder("a", SECRET)


SHOWN: dict[str, Callable[[], object]] = {
    "str": lambda: str(SECRET),
    "repr": lambda: repr(SECRET),
    "f-string": lambda: f"{SECRET} {SECRET!r} {SECRET!s} {SECRET!a} {SECRET:>40} {SECRET:s}",
    "format": lambda: format(SECRET, "x"),
    "percent": lambda: "%s %r" % (SECRET, SECRET),  # noqa: UP031 a way that logging takes
    "template": lambda: string.Template("$a").substitute(a=SECRET),
    "dataclass": lambda: repr(HOLDER),
    "asdict": lambda: repr((asdict(HOLDER), astuple(HOLDER))),
    "in containers": lambda: repr(([SECRET], {"a": SECRET}, (SECRET,))),
    "pprint": lambda: pprint.pformat({"a": [HOLDER]}),
    "dir": lambda: repr([getattr(SECRET, name, "") for name in dir(SECRET) if name != "_Secret__value"]),
    "json default": lambda: json.dumps({"a": SECRET}, default=str),
    "json default repr": lambda: json.dumps([HOLDER], default=repr),
    "login": lambda: repr(RegistryLogin(username="octo", password=SECRET)),
    "copies": lambda: repr((copy.copy(SECRET), copy.deepcopy([HOLDER]))),
    "exception": lambda: "".join(traceback.format_exception(ValueError("wrong", SECRET, HOLDER))),
}

REFUSED: dict[str, Callable[[], object]] = {
    "json": lambda: json.dumps(SECRET),
    "json in a dict": lambda: json.dumps({"a": [SECRET]}),
    "json key": lambda: json.dumps({SECRET: 1}),
    "msgspec json": lambda: msgspec.json.encode(SECRET),
    "msgspec msgpack": lambda: msgspec.msgpack.encode({"a": SECRET}),
    "msgspec dataclass": lambda: msgspec.json.encode(HOLDER),
    "msgspec builtins": lambda: msgspec.to_builtins(HOLDER),
    "hash": lambda: hash(SECRET),
    "iterate": lambda: list(SECRET),  # type: ignore[call-overload]
    "length": lambda: len(SECRET),  # type: ignore[arg-type]
    "index": lambda: SECRET[0],  # type: ignore[index]
    "contains": lambda: "canary" in SECRET,  # type: ignore[operator]
    "add": lambda: SECRET + "x",  # type: ignore[operator]
    "join": lambda: "".join([SECRET]),  # type: ignore[list-item]  # noqa: FLY002 not the same
    "order": lambda: Secret("z") > SECRET,  # type: ignore[operator]
    "vars": lambda: vars(SECRET),
    "bytes": lambda: bytes(SECRET),  # type: ignore[call-overload]
    **{f"pickle {p}": partial(pickle.dumps, SECRET, p) for p in range(pickle.HIGHEST_PROTOCOL + 1)},
    "pickle of a holder": lambda: pickle.dumps(HOLDER),
    "state": SECRET.__getstate__,
    "reduce": SECRET.__reduce__,
}


@pytest.mark.parametrize("way", SHOWN)
def test_a_secret_is_not_printed(way: str) -> None:
    shown = str(SHOWN[way]())
    assert CANARY not in shown
    assert shown


@pytest.mark.parametrize("way", REFUSED)
def test_a_secret_cannot_be_serialised_or_concatenated(way: str) -> None:
    with pytest.raises(TypeError) as raised:
        pytest.fail(f"it gave {REFUSED[way]()!r}")
    assert CANARY not in str(raised.value)


@pytest.mark.parametrize(
    "renderer", [structlog.processors.JSONRenderer(), structlog.dev.ConsoleRenderer(colors=False)]
)
def test_a_secret_is_not_logged_by_structlog(renderer: structlog.typing.Processor) -> None:
    out = io.StringIO()
    log = structlog.wrap_logger(
        structlog.WriteLogger(out),
        processors=[structlog.processors.format_exc_info, renderer],
        wrapper_class=structlog.BoundLogger,
    )
    log.error(
        "failed", secret=SECRET, holder=HOLDER, nested={"a": [SECRET]}, exc_info=ValueError(SECRET, HOLDER)
    )
    assert "failed" in out.getvalue()
    assert CANARY not in out.getvalue()


def test_a_secret_is_not_logged_by_the_standard_library(caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("a").warning("%s %r %s", SECRET, HOLDER, [SECRET])
    assert REDACTED in caplog.text
    assert CANARY not in caplog.text


def test_reveal_returns_the_text() -> None:
    assert SECRET.reveal() == CANARY
    assert bool(SECRET)
    assert not Secret("")


@given(st.text(), st.text())
def test_secrets_are_equal_if_their_texts_are_equal(one: str, other: str) -> None:
    assert (Secret(one) == Secret(other)) == (one == other)
    assert Secret(one) == Secret(one)
    assert Secret(one) != one


def test_invalid_unicode_is_compared_without_being_shown() -> None:
    """JSON can contain half of a surrogate pair. The error of the encoder would contain the whole text."""
    half = Secret(CANARY + "\ud800")
    assert half == Secret(CANARY + "\ud800")
    assert half != SECRET


@given(st.text(min_size=1), st.text(), st.booleans())
def test_a_stored_login_is_read_unchanged(username: str, text: str, is_token: bool) -> None:
    fields = {"identity_token" if is_token else "password": Secret(text)}
    login = RegistryLogin(username=username, **fields)
    assert RegistryLogin.from_secret(login.to_secret()) == login


@pytest.mark.parametrize(
    "text",
    [
        CANARY,
        "",
        "[]",
        "5",
        "null",
        "{}",
        f'{{"username": "{CANARY}"}}',
        f'{{"password": "{CANARY}"}}',
        f'{{"username": "a", "password": "{CANARY}", "identity_token": "b"}}',
        f'{{"username": "a", "password": ["{CANARY}"]}}',
        f'{{"username": ["{CANARY}"], "password": "b"}}',
        "[" * 100_000,
    ],
    ids=range(12),
)
def test_text_that_is_not_a_login_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError) as raised:
        RegistryLogin.from_secret(Secret(text))
    assert CANARY not in "".join(traceback.format_exception(raised.value))


def test_a_login_has_exactly_one_secret() -> None:
    for password, token in ((None, None), (SECRET, SECRET)):
        with pytest.raises(ValueError):
            RegistryLogin(username="a", password=password, identity_token=token)
