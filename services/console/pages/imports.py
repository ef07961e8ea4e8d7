"""Import a Docker config.json: a preview of its entries, then one credential for each login."""

from collections import Counter
from http import HTTPStatus

from flask import Blueprint, render_template, request

from console import secret_input
from console.forms import Form, restrictions
from console.request_context import api, is_htmx_request
from console.wording import Shown
from regcred.apiclient.errors import ApiError
from regcred.apiclient.paths import account_path
from regcred.apiclient.transport import Json

RESULT = {
    "created": Shown("good", "check", "Created"),
    "duplicate": Shown("plain", "question", "Already there"),
    "unsupported": Shown("warn", "warn", "Not supported"),
    "invalid": Shown("bad", "cross", "Invalid"),
    "failed": Shown("bad", "again", "Failed; import again"),
}
_PREVIEW = {**RESULT, "created": Shown("good", "plus", "Would be created")}


def install(pages: Blueprint) -> None:
    pages.get("/accounts/<account>/import")(import_page)
    pages.post("/accounts/<account>/import")(import_docker_config)


def import_page(account: str) -> str:  # noqa: ARG001 templates have it from the route
    return _page(Form(), None)


def import_docker_config(account: str) -> str | tuple[str, int]:
    """Import the file and show the result of each entry, or only preview it (`do=preview`).

    A repeated import creates nothing twice: existing credentials are duplicates.
    """
    form, preview = Form.sent(), request.form.get("do") == "preview"
    body = {
        "docker_config": secret_input.document("docker_config"),
        "name_prefix": form.value("name_prefix").strip(),
        "restrictions": restrictions(),
    }
    if preview:
        body["dry_run"] = True
    path = account_path(account, "imports")
    result, status = None, int(HTTPStatus.OK)
    try:
        # A preview has no idempotency key, because the import that follows sends the same form.
        result = (api().post_once(path, body) if preview else api().post(path, body, key=form.key)).body
    except ApiError as problem:
        if problem.no_such_route:
            form.add_error(
                None, "This server cannot import a file. Add each host separately, as Docker config.json."
            )
            status = HTTPStatus.NOT_IMPLEMENTED
        else:
            status = form.add_problem(problem)
    if preview and is_htmx_request():
        return _part(form, result)
    return _page(form if result is None or preview else Form(), result), status


def _page(form: Form, result: Json | None) -> str:
    return render_template("import.html", form=form, result=result, part=_part(form, result))


def _part(form: Form, result: Json | None) -> str:
    items = result["items"] if result else []
    preview = bool(result and result["dry_run"])
    return render_template(
        "import_result.html",
        form=form,
        result=result,
        preview=preview,
        counts=Counter(item["status"] for item in items),
        results=_PREVIEW if preview else RESULT,
    )
