"""Names that nobody has chosen are as good as chosen ones."""

from itertools import islice

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.invalid_input import InvalidInput
from credentials.domain.imported_names import name_prefix, names_for
from credentials.domain.values import credential_name


@pytest.mark.parametrize(
    ("host", "prefix", "names"),
    [
        ("ghcr.io", "", ["ghcr-io", "ghcr-io-2", "ghcr-io-3"]),
        ("registry.example.com:5000", "", ["registry-example-com-5000", "registry-example-com-5000-2"]),
        ("192.0.2.1", "", ["registry-192-0-2-1"]),
        ("[2001:db8::1]:5000", "", ["registry-2001-db8-1-5000"]),
        ("xn--bcher-kva.example", "team", ["team-xn-bcher-kva-example"]),
        ("reg.io", "team ", ["team reg-io"]),
        (f"{'a' * 38}.io", "", ["a" * 38, "a" * 37 + "-2"]),
    ],
)
def test_names_are_derived_from_hosts(host: str, prefix: str, names: list[str]) -> None:
    assert list(islice(names_for(host, name_prefix(prefix)), len(names))) == names


LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,60}[a-z0-9])?", fullmatch=True)
HOSTS = st.lists(LABELS, min_size=2, max_size=6).map(".".join)
PREFIXES = st.from_regex(r"([A-Za-z]([ -]?[A-Za-z0-9]){0,9}[ -]?)?", fullmatch=True).filter(
    lambda text: len(text) <= 20
)


@given(HOSTS, PREFIXES)
def test_every_name_is_valid_and_unique(host: str, prefix: str) -> None:
    names = list(islice(names_for(host, name_prefix(prefix)), 120))
    assert [credential_name(name) for name in names] == names
    # A host may end as a number would: then that one name comes twice, and is passed over.
    assert len({name.lower() for name in names}) >= len(names) - 1


@pytest.mark.parametrize("prefix", ["1a", "-a", "a--b", "ä", "a" * 21, "a_b", "a\n"])
def test_an_invalid_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(InvalidInput):
        name_prefix(prefix)
