"""`regcred-kubelet-credential-provider [--config FILE]`: a request on standard input, the response on
standard output.

Where the project may not use any credential that is kept, or regcred cannot be asked, it fails: the kubelet
then has no login of ours, counts the failure, keeps nothing, and asks again at the next try.
"""

import json
import os
import socket
import sys
from pathlib import Path

import click

from regcred.client.api import Api
from regcred.client.errors import ClientError, UnexpectedAnswer
from regcred.client.output import notice
from regcred.kubelet_provider.protocol import Json, ProviderRequest, request, response
from regcred.plugins.asking import in_one_line, pull_secret
from regcred.plugins.settings import caller

_MAX_INPUT = 1024 * 1024
_FILE = click.Path(dir_okay=False, path_type=Path)


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--config", type=_FILE, help="TOML: address, token_file, account, project, workload.")
@click.version_option(package_name="regcred")
def main(config: Path | None) -> None:
    """Answer one request of the kubelet's (credentialprovider.kubelet.k8s.io/v1)."""
    try:
        asked = request(sys.stdin.buffer.read(_MAX_INPUT))
        print(json.dumps(_answer(asked, config)))
    except ClientError as error:
        click.echo(in_one_line(error), err=True)
        raise click.exceptions.Exit(1) from None


def _answer(asked: ProviderRequest, config: Path | None) -> Json:
    said = {
        "REGCRED_PROJECT": asked.project,
        "REGCRED_WORKLOAD": f"serviceaccount/{asked.service_account}" if asked.service_account else None,
    }
    # What the kubelet says of this very pod stands over what the node is configured for.
    environment = {**os.environ, **{name: value for name, value in said.items() if value}}
    asking = caller(environment, hostname=socket.gethostname(), config=config)
    with Api(asking.connection, notice) as api:
        given = pull_secret(api, asking, {"images": [asked.image], "format": "basic"})
    try:
        return response(asked.image, given["basic"])
    except (KeyError, TypeError):
        raise UnexpectedAnswer(f"{asking.connection.address} did not answer with a login") from None


if __name__ == "__main__":
    main()
