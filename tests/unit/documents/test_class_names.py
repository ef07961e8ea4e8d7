"""No two public classes of the product have the same name, so that a name stands for one concept."""

from collections import defaultdict

from tests.support.servers import ROOT
from tests.support.sources import PRODUCT, source

# The API client is installed on other machines and imports nothing of the services. It has its own class
# for a secret.
TWICE = {"Secret"}


def test_no_two_public_classes_have_the_same_name() -> None:
    places = defaultdict(list)
    for file in PRODUCT:
        for line, name in source(file).top_level_classes:
            if not name.startswith("_"):
                places[name].append(f"{file.relative_to(ROOT)}:{line}")
    repeated = {name: found for name, found in places.items() if len(found) > 1}
    apart = {
        name
        for name, found in repeated.items()
        if len(found) == 2 and sum(one.startswith("libs/regcred/apiclient/") for one in found) == 1
    }
    assert len(places) > 300
    assert repeated.keys() == TWICE
    assert apart == TWICE
