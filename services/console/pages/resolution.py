"""Image lookup: the credential that a project would use for an image, and why not the others."""

from http import HTTPStatus

from flask import Blueprint, redirect, render_template, request
from werkzeug.wrappers import Response

from console.forms import Form, sentence
from console.providers import provider_names
from console.request_context import api, is_htmx_request, link, query_values
from regcred.apiclient.chosen import chosen
from regcred.apiclient.errors import ApiError
from regcred.apiclient.paths import account_path

OPERATIONS = ("pull", "push")
_MAX_TAGS = 200


def install(pages: Blueprint) -> None:
    pages.get("/accounts/<account>/resolve")(resolve_image)
    pages.get("/accounts/<account>/resolve/tags")(suggest_tags)


def resolve_image(account: str) -> Response | str | tuple[str, int]:
    """Show the form, and the result if the URL has a query. Users can share this URL."""
    if request.args.get("credential_name") == "":
        return redirect(link(), 303)  # without the empty value
    wanted = query_values("image", "project_id", "operation", "credential_name")
    operation = wanted.get("operation", "pull")
    form = Form.filled(
        image=wanted.get("image"),
        project_id=wanted.get("project_id"),
        operation=operation,
        credential_name=wanted.get("credential_name"),
    )
    resolution, status = None, int(HTTPStatus.OK)
    if request.args:
        body = {
            "image": wanted.get("image", ""),
            "project_id": wanted.get("project_id", ""),
            "operation": operation,
            **chosen(wanted.get("credential_name")),
        }
        try:
            resolution = api().post_once(account_path(account, "resolutions"), body).body
        except ApiError as problem:
            if problem.no_such_route:
                form.add_error(None, "This server does not support image lookup yet.")
            elif problem.code == "credential_not_found":
                form.add_error("credential_name", "No credential of this account has this name or id.")
                status = problem.status
            else:
                status = form.add_problem(problem)
    page = render_template(
        "resolve.html",
        form=form,
        resolution=resolution,
        operations=OPERATIONS,
        providers=provider_names(api()),
    )
    return page, status


def suggest_tags(account: str) -> Response | str | tuple[str, int]:
    """Suggest tags for the image field, after the colon: those that the selected credential can list.

    The registry is queried once for a project and a repository: the page sends the last query back in
    `asked_for`. The browser filters the suggestions while the user types.
    """
    if not is_htmx_request():
        return redirect(link().replace("/resolve/tags", "/resolve"), 303)
    repository, project = (
        _repository(request.args.get("image", "")),
        request.args.get("project_id", "").strip(),
    )
    query = f"{project} {repository}"
    if not repository or not project or query == request.args.get("asked_for"):
        return "", HTTPStatus.NO_CONTENT
    tags: list[str] = []
    try:
        credential, tags = _tags(account, repository, project)
        message = f"{len(tags)} tags found with the credential {credential}." if credential else ""
    except ApiError as problem:
        if problem.status == HTTPStatus.UNAUTHORIZED:
            raise
        message = f"Tags are not available. {sentence(problem.detail)}"
    return render_template("tags.html", repository=repository, tags=tags, message=message, query=query)


def _repository(image: str) -> str | None:
    """The part of an image reference before the colon of its tag; `None` without one, or with a digest."""
    repository, colon, tag = image.strip().rpartition(":")
    return repository if colon and "/" not in tag and "@" not in repository else None


def _tags(account: str, repository: str, project: str) -> tuple[str | None, list[str]]:
    """The name of the credential that the project would pull with, and the tags that it can list."""
    resolution = (
        api()
        .post_once(account_path(account, "resolutions"), {"image": repository, "project_id": project})
        .body
    )
    selected = resolution["selected"]
    if selected is None:
        return None, []
    credential_id, steps = selected["credential_id"], resolution["image"]["repository"].split("/")
    path = account_path(account, "credentials", credential_id, "repositories", *steps, "tags")
    found = api().get(path, {"limit": _MAX_TAGS}).body["items"]
    name = next(
        candidate["name"]
        for candidate in resolution["candidates"]
        if candidate["credential_id"] == credential_id
    )
    return name, [item["name"] for item in found]
