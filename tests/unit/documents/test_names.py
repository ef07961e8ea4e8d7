"""A name with an underscore in a document (a log event, a metric, a column, an error code) exists in the product."""

import re

import pytest

from tests.support.servers import ROOT
from tests.support.sources import text_of

_NAME = re.compile(r"`([a-z]+(?:_[a-z]+)+)`")
_SUFFIX = re.compile(r"_(total|bucket|count|sum)$")  # Prometheus adds them to the name of a metric
_OF_OTHERS = {"kubelet_credential_provider_plugin_errors_total"}  # a metric of the kubelet
_PRODUCT = [
    file
    for root in ("libs", "services", "tools", "infra")
    for pattern in ("*.py", "*.sql", "*.yml", "*.yaml", "*.json", "*.html", "*.hcl", "*.cfg")
    for file in (ROOT / root).rglob(pattern)
]
_DOCUMENTS = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text))


def unknown_names(document: str, product: set[str]) -> list[str]:
    names = set(_NAME.findall(document)) - _OF_OTHERS
    return sorted(name for name in names if not {name, _SUFFIX.sub("", name)} & product)


def test_every_name_in_a_document_exists() -> None:
    product = {word for file in _PRODUCT for word in _words(text_of(file))}
    found = {
        str(document.relative_to(ROOT)): names
        for document in _DOCUMENTS
        if (names := unknown_names(text_of(document), product))
    }
    assert found == {}


@pytest.mark.parametrize("name", ["consumer_lost_database", "es_relay_invented_total"])
def test_a_name_that_does_not_exist_is_found(name: str) -> None:
    assert unknown_names(f"see `{name}` and `es_relay_total`", {"es_relay"}) == [name]
