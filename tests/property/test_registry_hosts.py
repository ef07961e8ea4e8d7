"""Any text is refused as a registry host, or parsed to a canonical form."""

from hypothesis import example, given
from hypothesis import strategies as st

from registries.errors import InvalidHost
from registries.hosts import (
    RegistryHost,
    api_host,
    canonical_host,
    config_key,
    parse_config_key,
    parse_registry_url,
)

LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
NAMES = st.lists(LABEL, min_size=1, max_size=4).map(".".join)
ADDRESSES = st.ip_addresses().map(lambda address: f"[{address}]" if address.version == 6 else str(address))
PORTS = st.integers(-1, 70000).map(str) | st.text(max_size=4)
NEARLY = st.builds(
    "".join,
    st.tuples(
        st.sampled_from(["", "https://", "http://", "HTTP://", "oci://", "u:p@", " "]),
        NAMES | ADDRESSES | st.text(max_size=20),
        st.just("") | PORTS.map(lambda port: f":{port}"),
        st.sampled_from(["", "/", "/v1/", "/v2", "/v1/acme", "/acme/shop", "?x", "#", "."])
        | st.text(max_size=8),
    ),
)


@given(st.text() | NEARLY)
@example("İ.io")
@example("xn--0.pt")
@example("a." + "ß" * 100)
def test_a_host_is_refused_or_parsed_to_a_canonical_form(text: str) -> None:
    for parse in (
        RegistryHost.parse,
        lambda it: parse_registry_url(it)[0],
        lambda it: parse_config_key(it).host,
    ):
        try:
            host = parse(text)
        except InvalidHost as refusal:
            assert refusal.detail  # noqa: PT017 - the refusal is one of the two right answers, not an expectation
            continue
        assert RegistryHost.parse(str(host)) == host
        assert str(host).isascii()
        assert str(host) == str(host).lower()


@given(
    NAMES.filter(lambda name: "." in name and not name.rsplit(".", 1)[1].startswith("0x")),
    st.integers(1, 65535),
)
def test_usual_names_are_accepted_in_any_case(name: str, port: int) -> None:
    last = name.rsplit(".", 1)[1]
    if last.isdigit() or any(label.startswith("xn--") for label in name.split(".")):
        return
    assert str(RegistryHost.parse(f"{name.upper()}:{port}")) == (name if port == 443 else f"{name}:{port}")


@given(NEARLY)
def test_canonical_api_and_config_names_are_the_same_host(text: str) -> None:
    try:
        host, _ = parse_registry_url(text)
    except InvalidHost:
        return
    canonical = canonical_host(host)
    assert canonical_host(canonical) == canonical
    assert canonical_host(api_host(canonical)) == canonical
    key = parse_config_key(config_key(canonical))
    assert (canonical_host(key.host), key.path_prefix) == (canonical, None)
