"""Options for the details of a credential. Details can change without a new secret."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from regcred.cli.moments import moment_option

_F = TypeVar("_F", bound=Callable[..., object])


def details_options(*, description: str) -> Callable[[_F], _F]:
    """Add the options that `details_of` reads. `description` is the help text of `--description`."""
    options = (
        click.option(
            "--prefix",
            "repository_prefixes",
            multiple=True,
            metavar="PREFIX",
            help="Only repositories below this path; repeatable.",
        ),
        click.option(
            "--also-host",
            "additional_hosts",
            multiple=True,
            metavar="HOST",
            help="Another registry that accepts the same login; repeatable.",
        ),
        click.option(
            "--mirror-of",
            "mirror_of",
            multiple=True,
            metavar="HOST",
            help="A registry whose images its hosts also serve (pull-through cache); repeatable.",
        ),
        moment_option(
            "--expires", "expires_at", ago=False, text="When the secret expires: 90d, or RFC 3339."
        ),
        click.option("--description", metavar="TEXT", help=description),
    )

    def add_options(command: _F) -> _F:
        for option in reversed(options):
            command = option(command)
        return command

    return add_options


def details_of(options: dict[str, Any]) -> dict[str, Any]:
    """Return the given details as a part of the request body, and remove their options from `options`.

    `--every-repository`, `--never-expires`, `--one-host` and `--no-mirror`, which some commands have, clear a
    detail.

    Raises:
        click.UsageError: a detail is both set and cleared.
    """
    prefixes, expires_at = list(options.pop("repository_prefixes")), options.pop("expires_at")
    every_repository, never = options.pop("every_repository", False), options.pop("never_expires", False)
    description = options.pop("description")
    hosts, one_host = list(options.pop("additional_hosts")), options.pop("one_host", False)
    mirror_of, no_mirror = list(options.pop("mirror_of")), options.pop("no_mirror", False)
    if prefixes and every_repository:
        raise click.UsageError("--prefix and --every-repository contradict each other")
    if hosts and one_host:
        raise click.UsageError("--also-host and --one-host contradict each other")
    if mirror_of and no_mirror:
        raise click.UsageError("--mirror-of and --no-mirror contradict each other")
    if expires_at and never:
        raise click.UsageError("--expires and --never-expires contradict each other")
    details: dict[str, Any] = {}
    if prefixes or every_repository:
        details["repository_prefixes"] = prefixes
    if hosts or one_host:
        details["additional_hosts"] = hosts
    if mirror_of or no_mirror:
        details["mirror_of"] = mirror_of
    if expires_at or never:
        details["expires_at"] = expires_at
    if description is not None:
        details["description"] = description
    return details
