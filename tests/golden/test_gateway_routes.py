"""The gateway sends every route of the API to the service that serves it, in containers and in Kubernetes."""

import re

import pytest

from chassis.web.interface import document
from docs.contract_documents.openapi import routes_of_services
from tests.support.servers import ROOT

CONFIGURATIONS = ("infra/gateway/haproxy.cfg", "infra/kubernetes/base/haproxy.cfg")
FRONTENDS = ("public", "console_to_api")
_RULE = re.compile(
    r"^ +(?:default_backend|use_backend) (?P<backend>\w+)(?: if (?P<condition>.+))?$", re.MULTILINE
)
_CONDITION = re.compile(
    r"\{ (?P<match>path_reg|path_beg|path) (?P<patterns>[^{}]+) \}(?: METH_(?P<method>GET|POST))?"
)


def backend(configuration: str, frontend: str, method: str, path: str) -> str | None:
    """The backend to which a frontend sends a request; `None` if no rule applies."""
    section = re.search(rf"^frontend {frontend}\n((?:[ #].*\n|\n)+)", configuration, re.MULTILINE)
    assert section, f"there is no frontend {frontend}"
    for rule in _RULE.finditer(section[1]):
        if rule["condition"] is None or applies(rule["condition"], method, path):
            return rule["backend"]
    return None


def applies(condition: str, method: str, path: str) -> bool:
    """Whether a condition of HAProxy applies. A condition of another form than those in use fails the test."""
    found = _CONDITION.fullmatch(condition)
    assert found, f"this test cannot read the condition {condition}"
    if found["method"] not in (None, method):
        return False
    patterns = found["patterns"].split()
    match found["match"]:
        case "path_reg":
            return any(re.search(pattern, path) for pattern in patterns)
        case "path_beg":
            return any(path.startswith(pattern) for pattern in patterns)
        case _:
            return path in patterns


def example(path: str) -> str:
    """A path with a value for each parameter. A repository may contain slashes."""
    return re.sub(r"\{(\w+)\}", lambda name: "team/shop" if name[1] == "repository" else "x1", path)


@pytest.fixture(scope="module")
def routes() -> dict[str, set[tuple[str, str]]]:
    return routes_of_services()


def test_every_route_of_the_document_belongs_to_one_service(routes: dict[str, set[tuple[str, str]]]) -> None:
    described = {
        (method.upper(), path)
        for path, operations in document()["paths"].items()
        for method in operations.keys() - {"parameters"}
    }
    assert sorted(route for served in routes.values() for route in served) == sorted(described)


@pytest.mark.parametrize("frontend", FRONTENDS)
@pytest.mark.parametrize("file", CONFIGURATIONS)
def test_every_route_reaches_its_service(
    file: str, frontend: str, routes: dict[str, set[tuple[str, str]]]
) -> None:
    configuration = (ROOT / file).read_text(encoding="utf-8")
    wrong = [
        f"{file}, frontend {frontend}: {method} {path} of {service} goes to {chosen}; add a `use_backend` rule"
        for service, served in routes.items()
        for method, path in sorted(served)
        if (chosen := backend(configuration, frontend, method, example(path))) != service
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("frontend", FRONTENDS)
def test_the_first_rule_that_applies_chooses_the_service(frontend: str) -> None:
    configuration = (ROOT / CONFIGURATIONS[0]).read_text(encoding="utf-8")
    account = "/v1/accounts/acme"
    assert backend(configuration, frontend, "GET", f"{account}/reviews") == "queries"
    assert backend(configuration, frontend, "POST", f"{account}/reviews") == "credentials"
    assert backend(configuration, frontend, "POST", f"{account}/verifications") == "registries"
    assert backend(configuration, frontend, "GET", f"{account}/verifications") == "queries"
    assert backend(configuration, frontend, "GET", "/v1/service-tokens") == "credentials"
