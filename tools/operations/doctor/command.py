"""`regcred doctor`."""

import os
from dataclasses import asdict
from pathlib import Path

import click

from operations.doctor.examination import examine, quietly
from regcred.apiclient.text import shown
from regcred.cli.examples import examples
from regcred.cli.output import aligned, print_json
from regcred.cli.session import FAILED

_STYLES = {"ok": "green", "warning": "yellow", "failed": "red"}


@click.command("doctor", epilog=examples("regcred doctor", "regcred doctor --json | jq '.items[].remedy'"))
@click.option(
    "--vault-token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Token of a Vault administrator, to check the mount too.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(*, vault_token_file: Path | None, as_json: bool) -> None:
    """Check an installation and show how to fix its problems.

    Run it with the environment of `regcred up` or of a service. It checks everything that the environment
    names, whether it runs or not, and changes nothing. Exit code 1: a check failed.
    """
    findings = quietly(lambda: list(examine(os.environ, vault_token_file)))
    counts = {word: sum(each.result == word for each in findings) for word in _STYLES}
    if as_json:
        print_json({"healthy": not counts["failed"], "items": [asdict(each) for each in findings]})
    else:
        rows = [(each.result, each.check, shown(each.sentence)) for each in findings]
        for finding, line in zip(findings, aligned(rows), strict=True):
            click.echo(click.style(finding.result, fg=_STYLES[finding.result]) + line[len(finding.result) :])
            if finding.remedy:
                click.echo(f"         → {shown(finding.remedy)}")
        click.echo(", ".join(f"{number} {word}" for word, number in counts.items()))
    if counts["failed"]:
        raise click.exceptions.Exit(FAILED)
