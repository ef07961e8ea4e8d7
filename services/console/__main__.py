"""`python -m console`: the console in a separate process."""

import os
import sys

from flask import Flask

from chassis.observability.logs import configure_logs
from chassis.runtime.cannot_start import one_sentence
from chassis.runtime.core_dumps import disable_core_dumps
from chassis.runtime.parent import stop_with_parent
from chassis.runtime.version import print_version
from chassis.web.server import serve
from console.application import create_app
from console.settings import DEFAULT_API, ConsoleSettings
from regcred.apiclient.over_httpx import over_http


def main() -> None:
    """Serve the console until SIGTERM or SIGINT."""
    disable_core_dumps()
    configure_logs("console")
    settings = ConsoleSettings.from_environment(os.environ)
    stop_with_parent()

    def app() -> Flask:
        return create_app(settings, over_http(settings.api_url or DEFAULT_API, ca_file=settings.ca_file))

    serve(
        app,
        host=settings.listen_host,
        port=settings.listen_port,
        proxies=settings.proxies,
        drain=settings.drain,
        setting="REGCRED_CONSOLE_LISTEN",
    )


if __name__ == "__main__":
    print_version(sys.argv[1:])
    with one_sentence():
        main()
