"""`regcred-kubelet-credential-provider [--config FILE]`: the login of an image for the kubelet.

The request comes from standard input. The response goes to standard output.

It fails if the project may not use any stored credential, or if regcred cannot be reached. The kubelet then
gets no login, counts the failure, caches nothing, and starts the provider again at the next attempt.
"""

import json
import os
import socket
import sys
from argparse import ArgumentParser
from importlib.metadata import version
from pathlib import Path

from regcred.apiclient.errors import ClientError, UnexpectedResponse
from regcred.kubelet_provider.protocol import Json, ProviderRequest, request, response
from regcred.plugins.api_calls import connect, in_one_line, pull_secret
from regcred.plugins.image import of_image
from regcred.plugins.settings import read_caller

_MAX_INPUT = 1024 * 1024


def main() -> None:
    """Handle one request of the kubelet (credentialprovider.kubelet.k8s.io/v1)."""
    config: Path | None = _options().parse_args().config
    try:
        provider_request = request(sys.stdin.buffer.read(_MAX_INPUT))
        print(json.dumps(_response(provider_request, config)))
    except ClientError as error:
        print(in_one_line(error), file=sys.stderr)
        sys.exit(1)


def _options() -> ArgumentParser:
    parser = ArgumentParser(prog="regcred-kubelet-credential-provider", description=main.__doc__)
    parser.add_argument(
        "--config",
        type=Path,
        metavar="FILE",
        help="TOML: address, token_file, account, project, workload. Precedes the environment.",
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s, version {version('regcred')}")
    return parser


def _response(provider_request: ProviderRequest, config: Path | None) -> Json:
    of_pod = {
        "REGCRED_ACCOUNT": provider_request.account,
        "REGCRED_PROJECT": provider_request.project,
        "REGCRED_CREDENTIAL": provider_request.credential,
        "REGCRED_WORKLOAD": provider_request.workload,
    }
    caller = read_caller(os.environ, hostname=socket.gethostname(), config=config, overrides=of_pod)
    with connect(caller) as api:
        issued = pull_secret(api, caller, {**of_image(provider_request.image), "format": "basic"})
    try:
        return response(provider_request.image, issued["basic"])
    except (KeyError, TypeError):
        raise UnexpectedResponse(f"{caller.connection.address} did not respond with a login") from None


if __name__ == "__main__":
    main()
