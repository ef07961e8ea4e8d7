"""Blueprints that refuse invalid and unknown arguments with problem documents."""

from collections.abc import Iterator
from typing import Any, NoReturn

import marshmallow
import msgspec
from flask import Request
from flask_smorest import Blueprint as SmorestBlueprint
from webargs.flaskparser import FlaskParser
from werkzeug.exceptions import RequestEntityTooLarge

from chassis.bounded_list import BoundedList
from chassis.invalid_input import FieldProblem
from chassis.web import query_parameters
from chassis.web.problems import Problem, field_errors, invalid

MAX_DEPTH = 32
MAX_VALUES = 20_000  # more than the largest document that a route accepts
_LOCATIONS = ("json", "query")

_decode = msgspec.json.Decoder().decode


class _Parser(FlaskParser):
    DEFAULT_UNKNOWN_BY_LOCATION = {  # noqa: RUF012 webargs declares it as an instance attribute
        **FlaskParser.DEFAULT_UNKNOWN_BY_LOCATION,
        **dict.fromkeys(_LOCATIONS, marshmallow.RAISE),
    }

    def load_json(self, req: Request, _schema: marshmallow.Schema) -> Any:
        body = req.get_data(cache=True)
        # Werkzeug truncates a chunked body at the limit without an error.
        if req.content_length is None and req.max_content_length and len(body) >= req.max_content_length:
            raise RequestEntityTooLarge
        if not body:
            return marshmallow.missing
        if not req.is_json:
            raise Problem(415, "unsupported_media_type", "the body must be application/json")
        try:
            document = _decode(body)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            raise Problem(400, "invalid_json", "the body is not JSON") from None
        _check_size(document)
        return document

    def handle_error(self, error: marshmallow.ValidationError, *_arguments: Any, **_named: Any) -> NoReturn:
        by_location: dict[str, Any] = error.normalized_messages()  # type: ignore[no-untyped-call]
        raise invalid([found for messages in by_location.values() for found in field_errors(messages)])


def _check_size(document: Any) -> None:
    """Check depth and number of values, before a schema checks each of them. Raises `Problem` 422."""
    level: list[Any] = [document]
    values = 0
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            if isinstance(value, (dict, list)):
                values += len(value)
                if values > MAX_VALUES:
                    detail = f"the body may have at most {MAX_VALUES} values"
                    raise invalid([FieldProblem("", "too_many", detail)])
                below.extend(value.values() if isinstance(value, dict) else value)
        if not below:
            return
        level = below
    raise invalid([FieldProblem("", "too_deep", f"the body may have at most {MAX_DEPTH} levels")])


class Blueprint(SmorestBlueprint):
    """Adds its routes to the OpenAPI document and parses their arguments."""

    ARGUMENTS_PARSER = _Parser()

    def arguments(self, schema: Any, **options: Any) -> Any:
        """Parse the arguments of a route with a schema.

        Raises:
            ValueError: the schema has a list without a limit.
        """
        made = schema() if isinstance(schema, type) else schema
        unbounded = list(_lists(made))
        if unbounded:
            raise ValueError(f"{type(made).__name__} has lists without a limit: {', '.join(unbounded)}")
        parse = super().arguments(schema, **options)
        if options.get("location") != "query":
            return parse
        names = [field.data_key or name for name, field in made.fields.items()]

        def decorated(view: Any) -> Any:
            parsing = parse(view)
            query_parameters.knows(parsing, names)
            return parsing

        return decorated


def _lists(schema: marshmallow.Schema) -> Iterator[str]:
    """The names of the lists without a limit, also in nested schemas."""
    for name, field in schema.fields.items():
        inner = field.inner if isinstance(field, BoundedList) else field
        if isinstance(inner, (marshmallow.fields.List, marshmallow.fields.Tuple, marshmallow.fields.Dict)):
            yield name
        if isinstance(inner, marshmallow.fields.Nested):
            if inner.many:
                yield name
            yield from _lists(inner.schema)
