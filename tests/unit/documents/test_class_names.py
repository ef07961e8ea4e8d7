"""Each public class of the product has a name of its own, so that a name stands for one concept."""

import ast
from collections import defaultdict

from tests.support.servers import ROOT

SOURCES = sorted(file for root in ("libs", "services", "tools") for file in (ROOT / root).rglob("*.py"))

# The API client is installed on other people's machines and imports nothing of the services. It has its own
# side of the same two concepts.
TWICE = {"FieldError", "Secret"}


def test_no_two_public_classes_have_the_same_name() -> None:
    places = defaultdict(list)
    for file in SOURCES:
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places[node.name].append(f"{file.relative_to(ROOT)}:{node.lineno}")
    repeated = {name: found for name, found in places.items() if len(found) > 1}
    apart = {
        name
        for name, found in repeated.items()
        if len(found) == 2 and sum(one.startswith("libs/regcred/apiclient/") for one in found) == 1
    }
    assert len(places) > 300
    assert repeated.keys() == TWICE
    assert apart == TWICE
