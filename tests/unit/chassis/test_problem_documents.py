"""Problem documents have a limited size."""

from flask import Flask

from chassis.invalid_input import FieldProblem
from chassis.web import problems


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
