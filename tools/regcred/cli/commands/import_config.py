"""`regcred import`."""

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import click

from regcred.apiclient.transport import Json
from regcred.cli.dry_run import has_dry_run
from regcred.cli.examples import examples
from regcred.cli.lookup import await_read_models
from regcred.cli.output import notice, print_json, print_table
from regcred.cli.secret_input import read_document
from regcred.cli.session import FAILED, CliSession, of_account

_HEADERS = ("REGISTRY", "STATUS", "NAME", "REASON", "ID")
_ROUTE = "/v1/accounts/{account_id}/imports"
_FILE = click.Path(dir_okay=False, allow_dash=True)


@click.command(
    "import",
    epilog=examples(
        "regcred import --dry-run",
        "regcred import --project shop --name-prefix shop",
        "kubectl get secret pull -o yaml | regcred import -",
        "kubectl get secrets -o json --field-selector type=kubernetes.io/dockerconfigjson | regcred import -",
    ),
)
@click.argument("file", type=_FILE, required=False)
@click.option("--dry-run", is_flag=True, help="Show the result without storing anything.")
@click.option(
    "--name-prefix", default="", metavar="TEXT", help="Prefix of the names, which follow from the hosts."
)
@click.option("--pull/--no-pull", default=True, show_default=True, help="Use them to pull images.")
@click.option("--push/--no-push", default=False, show_default=True, help="Use them to push images.")
@click.option(
    "--project", "projects", multiple=True, metavar="ID", help="Only this project may use them; repeatable."
)
@click.option("--restricted", is_flag=True, help="Only the given projects may use it; without any: none.")
@of_account
def import_config(
    session: CliSession,
    /,
    *,
    file: str | None,
    dry_run: bool,
    name_prefix: str,
    pull: bool,
    push: bool,
    projects: tuple[str, ...],
    restricted: bool,
) -> None:
    """Import every login of a Docker config.json (FILE, - is stdin).

    Without FILE it reads the file of `docker login` on this machine. Kubernetes pull secrets work as well: a
    manifest, a List or several documents, as kubectl prints them in JSON or YAML. Secrets of other types are
    left out. Existing credentials do not change. Exit code 1: an entry could not be stored, or there was
    none.
    """
    body: Json = {
        "docker_config": read_document(file or str(_docker_config_path())),
        "scope": {"pull": pull, "push": push},
        "restrictions": {"restricted": restricted or bool(projects), "projects": list(projects)},
        "name_prefix": name_prefix,
    }
    path = session.path("imports")
    if not dry_run:
        command = session.api.post(path, body)
    elif has_dry_run(session, "POST", _ROUTE):
        command = session.api.post_once(path, body, {"dry_run": "true"})
    else:  # 0.9.0 has it in the body
        command = session.api.post_once(path, {**body, "dry_run": True})
    await_read_models(session, command)
    items: list[Json] = command.body["items"]
    if session.as_json:
        print_json(command.body)
    else:
        print_table(_HEADERS, (_row(item, dry_run=dry_run) for item in items))
        notice(_summary(items, dry_run=dry_run))
        _print_left_out(command.body)
    if not _succeeded(items):
        raise click.exceptions.Exit(FAILED)


def _docker_config_path() -> Path:
    """The file that `docker login` writes."""
    folder = os.environ.get("DOCKER_CONFIG")
    return (Path(folder) if folder else Path.home() / ".docker") / "config.json"


def _row(item: Json, *, dry_run: bool) -> tuple[object, ...]:
    where = item["registry_host"] or item["key"]
    if "/" in item["key"] and item["registry_host"]:
        where = item["key"]  # several entries for one registry differ in their repositories
    status = "would be created" if dry_run and item["status"] == "created" else item["status"]
    return (where, status, item["name"], item["reason"], item["credential_id"])


def _summary(items: Iterable[Json], *, dry_run: bool) -> str:
    counted = Counter(str(item["status"]) for item in items)
    text = ", ".join(f"{number} {status}" for status, number in counted.items())
    return f"dry run, nothing was stored; without --dry-run: {text}" if dry_run else text


def _print_left_out(result: Json) -> None:
    """Name the Secrets that were left out; a server of 0.9.0 lists none."""
    left_out: list[Json] = result.get("left_out", [])
    further = result.get("more_left_out", 0)
    if left_out:
        notice(f"{len(left_out) + further} left out:")
    for secret in left_out:
        notice(f"  {secret['name']}: {secret['reason']}")
    if further:
        notice(f"  and {further} more")


def _succeeded(items: list[Json]) -> bool:
    statuses = {item["status"] for item in items}
    return not statuses & {"invalid", "failed"} and bool(statuses & {"created", "duplicate"})
