"""`regcred-kubelet-credential-provider [--config FILE]`: a request on standard input, the response on
standard output.

Where the project may not use any credential that is kept, or regcred cannot be asked, it fails: the kubelet
then has no login of ours, counts the failure, keeps nothing, and asks again at the next try.
"""

import json
import os
import socket
import sys
from argparse import ArgumentParser
from importlib.metadata import version
from pathlib import Path

from regcred.apiclient.errors import ClientError, UnexpectedAnswer
from regcred.kubelet_provider.protocol import Json, ProviderRequest, request, response
from regcred.plugins.api_calls import connect, in_one_line, pull_secret
from regcred.plugins.settings import caller

_MAX_INPUT = 1024 * 1024


def main() -> None:
    """Answer one request of the kubelet's (credentialprovider.kubelet.k8s.io/v1)."""
    config: Path | None = _options().parse_args().config
    try:
        asked = request(sys.stdin.buffer.read(_MAX_INPUT))
        print(json.dumps(_answer(asked, config)))
    except ClientError as error:
        print(in_one_line(error), file=sys.stderr)
        sys.exit(1)


def _options() -> ArgumentParser:
    parser = ArgumentParser(prog="regcred-kubelet-credential-provider", description=main.__doc__)
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="TOML: address, token_file, account, project, workload."
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s, version {version('regcred')}")
    return parser


def _answer(asked: ProviderRequest, config: Path | None) -> Json:
    said = {
        "REGCRED_PROJECT": asked.project,
        "REGCRED_WORKLOAD": f"serviceaccount/{asked.service_account}" if asked.service_account else None,
    }
    # What the kubelet says of this very pod stands over what the node is configured for.
    environment = {**os.environ, **{name: value for name, value in said.items() if value}}
    asking = caller(environment, hostname=socket.gethostname(), config=config)
    with connect(asking) as api:
        given = pull_secret(api, asking, {"images": [asked.image], "format": "basic"})
    try:
        return response(asked.image, given["basic"])
    except (KeyError, TypeError):
        raise UnexpectedAnswer(f"{asking.connection.address} did not answer with a login") from None


if __name__ == "__main__":
    main()
