"""A Docker config.json with the logins of many hosts: looked at first, then one credential for each."""

from collections import Counter
from http import HTTPStatus

from flask import Blueprint, render_template, request

from console import secret_input
from console.forms import Form, restrictions
from console.request_context import api, by_htmx
from console.wording import Shown
from regcred.apiclient.errors import ApiError
from regcred.apiclient.paths import account_path
from regcred.apiclient.transport import Json

RESULT = {
    "created": Shown("good", "check", "Created"),
    "duplicate": Shown("plain", "question", "Already there"),
    "unsupported": Shown("warn", "warn", "Not supported"),
    "invalid": Shown("bad", "cross", "Invalid"),
    "failed": Shown("bad", "again", "Not now; import again"),
}
_PREVIEW = {**RESULT, "created": Shown("good", "plus", "Would be created")}


def install(pages: Blueprint) -> None:
    pages.get("/accounts/<account>/import")(import_page)
    pages.post("/accounts/<account>/import")(import_docker_config)


def import_page(account: str) -> str:  # noqa: ARG001 the template has it from the address
    return _page(Form(), None)


def import_docker_config(account: str) -> str | tuple[str, int]:
    """What became of each entry, or with `preview` what would. Sent again it makes nothing twice: what is
    there is a duplicate.
    """
    form, preview = Form.sent(), request.form.get("do") == "preview"
    body = {
        "docker_config": secret_input.document("docker_config"),
        "name_prefix": form.value("name_prefix").strip(),
        "restrictions": restrictions(),
        "dry_run": preview,
    }
    path = account_path(account, "imports")
    answer, status = None, int(HTTPStatus.OK)
    try:
        # A look has no key: the import that follows is another request with the same form.
        answer = (api().post_once(path, body) if preview else api().post(path, body, key=form.key)).body
    except ApiError as problem:
        if problem.no_such_route:
            form.fail(None, "This server cannot import yet. Add the hosts one by one, as Docker config.json.")
            status = HTTPStatus.NOT_IMPLEMENTED
        else:
            status = form.refused(problem)
    if preview and by_htmx():
        return _part(form, answer)
    return _page(form if answer is None or preview else Form(), answer), status


def _page(form: Form, answer: Json | None) -> str:
    return render_template("import.html", form=form, answer=answer, part=_part(form, answer))


def _part(form: Form, answer: Json | None) -> str:
    items = answer["items"] if answer else []
    preview = bool(answer and answer["dry_run"])
    return render_template(
        "import_result.html",
        form=form,
        answer=answer,
        preview=preview,
        counts=Counter(item["status"] for item in items),
        said=_PREVIEW if preview else RESULT,
    )
