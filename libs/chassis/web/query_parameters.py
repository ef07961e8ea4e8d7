"""Refuses requests whose query has a parameter that the route does not know, or one parameter twice.

A misspelled or contradictory `dry_run` or filter must not be ignored: the command would be executed, and the
query would return everything.
"""

from collections.abc import Callable, Collection, Iterator
from typing import Any

from flask import Flask, request

from chassis.invalid_input import FieldProblem
from chassis.web.problems import field_errors, invalid

_KNOWN = "_query_parameters"  # of a view function


def knows(view: Callable[..., Any], names: Collection[str]) -> None:
    """Declare the parameters that a view function reads from the query."""
    setattr(view, _KNOWN, frozenset(names))


def install(app: Flask) -> None:
    """Check each request for a route of a blueprint. Call it after the authentication is installed.

    The routes of operations, such as `/healthz`, have no blueprint: probes may add parameters of their own.
    """

    @app.before_request
    def _check() -> None:
        if request.blueprint is None or request.endpoint is None:
            return
        known = getattr(app.view_functions[request.endpoint], _KNOWN, frozenset[str]())
        problems = list(_problems(known))
        if problems:
            raise invalid(problems)


def _problems(known: Collection[str]) -> Iterator[FieldProblem]:
    for name, values in request.args.lists():
        if name not in known:
            yield from field_errors({name: "Unknown field."})
        elif len(values) > 1:
            problem = FieldProblem("", "repeated", "this parameter of the query is given more than once")
            yield from field_errors({name: problem})
