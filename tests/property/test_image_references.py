"""Any text is refused as an image reference, or parsed to a canonical form."""

from hypothesis import example, given
from hypothesis import strategies as st

from registries.errors import InvalidReference
from registries.hosts import canonical_host
from registries.image_reference import ImageReference

COMPONENTS = st.from_regex(r"[a-z0-9]{1,4}((\.|_|__|-{1,2})[a-z0-9]{1,4}){0,2}", fullmatch=True)
PATHS = st.lists(COMPONENTS, min_size=1, max_size=4).map("/".join)
HOSTS = st.sampled_from(["docker.io/", "reg.io/", "REG.io:443/", "h:5000/", "[::1]:80/", "10.0.0.1/"])
TAGS = st.just("") | st.from_regex(r":[A-Za-z0-9_][A-Za-z0-9_.-]{0,9}", fullmatch=True)
DIGESTS = st.just("") | st.from_regex(r"@sha256:[0-9a-f]{64}", fullmatch=True)
NEARLY = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "https://", "HTTP://", "user:pw@", " "]),
        HOSTS | st.just("") | st.text(max_size=12),
        PATHS | st.text(max_size=12),
        TAGS | st.text(max_size=6),
        DIGESTS | st.text(max_size=6),
    ),
)


@given(st.text() | NEARLY)
@example("İ.io/x")
@example("ſ")  # noqa: RUF001 it is upper-cased to an S
def test_a_reference_is_refused_or_parsed_to_a_canonical_form(text: str) -> None:
    try:
        reference = ImageReference.parse(text)
    except InvalidReference:
        return
    assert ImageReference.parse(str(reference)) == reference
    assert str(reference) == str(reference).strip()
    assert canonical_host(reference.registry_host) == reference.registry_host


@given(HOSTS, PATHS, TAGS, DIGESTS)
def test_references_of_the_grammar_are_parsed(host: str, path: str, tag: str, digest: str) -> None:
    reference = ImageReference.parse(host + path + tag + digest)
    assert str(reference).endswith(digest)
    assert reference.repository.removeprefix("library/") == path.removeprefix("library/")
    assert reference.tag == (tag[1:] or (None if digest else "latest"))
