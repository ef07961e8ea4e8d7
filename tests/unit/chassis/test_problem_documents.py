"""Problem documents have a limited size, and a title for each type."""

import json

import pytest
from flask import Flask

from chassis.invalid_input import FieldProblem
from chassis.web import problems
from chassis.web.problem_document import Problem, document_of


def test_the_first_hundred_wrong_values_are_listed_and_the_others_counted() -> None:
    app = Flask("problems")
    problems.install(app)
    found = [FieldProblem(f"/projects/{number}", "invalid_id", "an id") for number in range(5000)]

    @app.get("/<int:count>")
    def refuse(count: int) -> str:
        raise problems.invalid(found[:count])

    document = app.test_client().get("/5000").json
    assert document is not None
    assert [error["pointer"] for error in document["errors"]][::99] == ["/projects/0", "/projects/99"]
    assert document["more_errors"] == 4900
    assert "more_errors" not in (app.test_client().get("/100").json or {})


@pytest.mark.parametrize(
    ("code", "title"), [("credential_in_use", "Credential in use"), ("invalid_json", "Invalid JSON")]
)
def test_the_title_is_the_name_of_the_type_whatever_the_status(code: str, title: str) -> None:
    documents = [json.loads(document_of(Problem(status, code, "x"), None)) for status in (409, 422)]
    assert {document["title"] for document in documents} == {title}
