"""Which credential would a project use for an image, and why not the others."""

from http import HTTPStatus

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from console.forms import Form, sentence
from console.providers import provider_names
from console.request_context import api, by_htmx, link, query_values
from regcred.apiclient.errors import ApiError
from regcred.apiclient.paths import account_path

OPERATIONS = ("pull", "push")
_TAGS = 200  # offered at most
_CANDIDATES = 50  # shown at most: an account may keep a thousand for one registry


def install(pages: Blueprint) -> None:
    pages.get("/accounts/<account>/resolve")(resolve_image)
    pages.get("/accounts/<account>/resolve/tags")(offer_tags)


def resolve_image(account: str) -> str | tuple[str, int]:
    """The question stands in the address, so that the answer can be shared."""
    wanted = query_values("image", "project_id", "operation")
    operation = wanted.get("operation", "pull")
    form = Form.filled(image=wanted.get("image"), project_id=wanted.get("project_id"), operation=operation)
    answer, status = None, int(HTTPStatus.OK)
    if request.args:
        body = {
            "image": wanted.get("image", ""),
            "project_id": wanted.get("project_id", ""),
            "operation": operation,
        }
        try:
            answer = api().post_once(account_path(account, "resolutions"), body).body
        except ApiError as problem:
            if problem.no_such_route:
                form.fail(None, "This server does not support image lookup yet.")
            else:
                status = form.refused(problem)
    page = render_template(
        "resolve.html",
        form=form,
        answer=answer,
        most=_CANDIDATES,
        operations=OPERATIONS,
        providers=provider_names(api()),
    )
    return page, status


def offer_tags(account: str) -> Response | str | tuple[str, int]:
    """What the image's field offers behind its colon: tags, as the credential that would be used sees them.

    A registry is asked once for a project and a repository: the page sends back what it has asked for
    (`asked_for`), and the browser itself chooses among the offers while somebody types.
    """
    if not by_htmx():
        return redirect(link().replace("/resolve/tags", "/resolve"), 303)
    repository, project = (
        _before_tag(request.args.get("image", "")),
        request.args.get("project_id", "").strip(),
    )
    asking = f"{project} {repository}"
    if not repository or not project or asking == request.args.get("asked_for"):
        return "", HTTPStatus.NO_CONTENT
    tags: list[str] = []
    try:
        credential, tags = _tags(account, repository, project)
        said = f"{len(tags)} tags offered, as {credential} sees them." if credential else ""
    except ApiError as problem:
        if problem.status == HTTPStatus.UNAUTHORIZED:
            raise
        said = f"No tags are offered. {sentence(problem.detail)}"
    return render_template("tags.html", repository=repository, tags=tags, said=said, asking=asking)


def _before_tag(image: str) -> str | None:
    """What stands before the colon of the tag; `None` where there is no such colon, or a digest."""
    repository, colon, tag = image.strip().rpartition(":")
    return repository if colon and "/" not in tag and "@" not in repository else None


def _tags(account: str, repository: str, project: str) -> tuple[str | None, list[str]]:
    """The name of the credential that the project would pull with, and the tags that it sees."""
    answer = (
        api()
        .post_once(account_path(account, "resolutions"), {"image": repository, "project_id": project})
        .body
    )
    chosen = answer["selected"]
    if chosen is None:
        return None, []
    credential_id, steps = chosen["credential_id"], answer["image"]["repository"].split("/")
    path = account_path(account, "credentials", credential_id, "repositories", *steps, "tags")
    found = api().get(path, {"limit": _TAGS}).body["items"]
    name = next(one["name"] for one in answer["candidates"] if one["credential_id"] == credential_id)
    return name, [item["name"] for item in found]
