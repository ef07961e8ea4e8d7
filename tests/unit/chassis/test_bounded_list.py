"""Lists in requests: their length is checked before their items, and no list is without a limit."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from marshmallow import Schema, ValidationError, fields

from chassis.bounded_list import BoundedList
from chassis.invalid_input import FieldProblem
from chassis.web import problems
from chassis.web.blueprint import MAX_DEPTH, MAX_VALUES, Blueprint
from docs.contract_documents.openapi import routes_of_services

assert routes_of_services()  # imports the schemas of every service


def schemas(of: type[Schema] = Schema) -> Iterator[type[Schema]]:
    for schema in of.__subclasses__():
        if not schema.__module__.startswith(("marshmallow", "flask_smorest", "webargs", "apispec", "tests.")):
            yield schema
        yield from schemas(schema)


BOUNDED = sorted(
    {
        (f"{schema.__module__}.{schema.__name__}", name): (schema, name, field.most)
        for schema in schemas()
        for name, field in schema().fields.items()
        if isinstance(field, BoundedList)
    }.items()
)


def messages(error: ValidationError) -> dict[str, Any]:
    assert isinstance(error.messages, dict)
    return error.messages


def test_the_lists_of_requests_are_found() -> None:
    assert {name for (_, name), _ in BOUNDED} >= {
        "images",
        "projects",
        "repository_prefixes",
        "accounts",
        "scopes",
    }


@pytest.mark.parametrize(
    ("schema", "name", "most"), [found for _, found in BOUNDED], ids=["-".join(key) for key, _ in BOUNDED]
)
def test_a_list_far_over_its_limit_is_refused_before_its_items_are_validated(
    schema: type[Schema], name: str, most: int
) -> None:
    """An item that was validated would be named by its index, in a mapping."""
    with pytest.raises(ValidationError) as refused:
        schema().load({name: [{"not": "an item"}] * (10 * most)}, partial=True)
    [problem] = messages(refused.value)[name]
    assert isinstance(problem, FieldProblem)
    with pytest.raises(ValidationError) as checked:
        schema().load({name: [{"not": "an item"}] * most}, partial=True)
    assert len(messages(checked.value)[name]) == most


class Unbounded(Schema):
    texts = fields.List(fields.String())


class Inside(Schema):
    inside = fields.Nested(Unbounded)


class Many(Schema):
    many = fields.Nested(Unbounded(only=()), many=True)


class Mapping(Schema):
    mapping = fields.Dict()


@pytest.mark.parametrize("schema", [Unbounded, Inside, Many, Mapping])
def test_a_route_with_a_list_without_a_limit_is_refused(schema: type[Schema]) -> None:
    with pytest.raises(ValueError, match="without a limit"):
        Blueprint("test", __name__).arguments(schema)


class Anything(Schema):
    anything = fields.Raw()


def nested(depth: int) -> Any:
    inner: Any = []
    for _ in range(depth):
        inner = [inner]
    return inner


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"anything": [0] * (MAX_VALUES + 1)}, "too_many"),
        ({f"key {number}": 0 for number in range(MAX_VALUES + 1)}, "too_many"),
        ({"anything": [[0] * 100] * (MAX_VALUES // 100)}, "too_many"),
        ({"anything": nested(MAX_DEPTH)}, "too_deep"),
        ({"anything": nested(200)}, "too_deep"),
        ({"anything": nested(MAX_DEPTH - 3)}, None),
        ({"anything": [0] * (MAX_VALUES - 1)}, None),
    ],
)
def test_a_body_with_many_values_or_levels_is_refused(body: Any, code: str | None) -> None:
    app = Flask("test", static_folder=None)
    problems.install(app)
    routes = Blueprint("test", __name__)

    def view(_body: Any) -> str:
        return "accepted"

    routes.route("/", methods=["POST"])(routes.arguments(Anything)(view))

    app.register_blueprint(routes)
    response = app.test_client().post("/", json=body)
    if code is None:
        assert (response.status_code, response.text) == (200, "accepted")
    else:
        assert response.status_code == 422
        assert [error["code"] for error in response.get_json()["errors"]] == [code]
