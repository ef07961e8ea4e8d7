"""Any `WWW-Authenticate` is parsed or refused in limited time, and a well-formed one is parsed correctly."""

import time

from hypothesis import example, given, settings
from hypothesis import strategies as st

from registries.dialer.errors import BadChallenge
from registries.protocol.challenge import MAX_HEADER, choose, parse_challenges

SOON = 2.0  # seconds of processor time
TOKEN = st.text("abcXYZ019!#$%&'*+.^_`|~-", min_size=1, max_size=8)
VALUE = st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]) | st.just("\t"), max_size=20)
PLAIN = st.text("abcXYZ019:/@?.-", max_size=12)
SPACE = st.sampled_from(["", " ", "\t", "  "])
COMMA = st.tuples(SPACE, SPACE).map(lambda around: f"{around[0]},{around[1]}")

FRAGMENTS = st.lists(
    st.sampled_from(
        ["Bearer", "Basic", "Negotiate", " ", ",", "=", "==", '"', "\\", "\t", "realm", "service", "scope", "a", "/",
         "https://h/t", "\x00", "\n", "ä", "<"]
    )
    | st.text(st.characters(codec="latin-1"), max_size=3),
    max_size=40,
).map("".join)  # fmt: skip


@st.composite
def challenges(draw: st.DrawFn) -> tuple[str, list[tuple[str, dict[str, str]]]]:
    """A well-formed header and its challenges."""
    wanted, written = [], []
    for _ in range(draw(st.integers(1, 4))):
        scheme = draw(TOKEN)
        names = draw(st.lists(TOKEN, max_size=4, unique_by=str.lower))
        parameters, texts = {}, []
        for name in names:
            quoted = draw(st.booleans())
            value = draw(VALUE if quoted else PLAIN)
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            text = f'"{escaped}"' if quoted else value
            parameters[name.lower()] = value
            texts.append(f"{name}{draw(SPACE)}={draw(SPACE)}{text}")
        written.append(scheme + (" " + draw(COMMA).join(texts) if texts else ""))
        wanted.append((scheme.lower(), parameters))
    return draw(COMMA).join(written), wanted


@settings(deadline=None)  # the test measures the time itself
@given(st.lists(FRAGMENTS | st.text(st.characters(codec="latin-1")), max_size=4))
@example(['Bearer realm="' + "\\" * (MAX_HEADER - 20)])
@example(["a" + " " * (MAX_HEADER - 1)])
def test_a_header_is_parsed_or_refused_in_limited_time(headers: list[str]) -> None:
    started = time.process_time()
    try:
        found = parse_challenges(headers)
    except BadChallenge as refusal:
        assert str(refusal)  # noqa: PT017 - one of the two right answers, not an expectation
    else:
        for one in found:
            assert one.scheme == one.scheme.lower()
            assert all(name == name.lower() for name in one.parameters)
            assert not any(
                "\n" in value or "\r" in value or "\0" in value for value in one.parameters.values()
            )
        chosen = choose(found)
        assert chosen is None or chosen.scheme in ("bearer", "basic")
    assert time.process_time() - started < SOON


@given(challenges())
def test_a_well_formed_header_is_parsed_to_its_challenges(
    written: tuple[str, list[tuple[str, dict[str, str]]]],
) -> None:
    header, wanted = written
    assert [(one.scheme, dict(one.parameters)) for one in parse_challenges([header])] == wanted


@given(st.lists(challenges(), min_size=1, max_size=4))
def test_several_headers_are_parsed_like_one(
    headers: list[tuple[str, list[tuple[str, dict[str, str]]]]],
) -> None:
    texts = [header for header, _ in headers]
    assert parse_challenges(texts) == parse_challenges([", ".join(texts)])
