"""`python -m verifier` consumes the log and verifies credentials. With `api` it serves the HTTP part."""

import os
import sys

from flask import Flask

from chassis.observability.logs import configure_logs
from chassis.observability.process import observe
from chassis.runtime.cannot_start import one_sentence
from chassis.runtime.core_dumps import disable_core_dumps
from chassis.runtime.lifecycle import stop_on_signals
from chassis.runtime.parent import stop_with_parent
from chassis.runtime.version import print_version
from chassis.settings.environment import Settings
from chassis.web.api_part import join
from chassis.web.server import serve
from verifier.bootstrap import registry_api, run_verifier


def main() -> None:
    """Run until SIGTERM or SIGINT."""
    stop = stop_on_signals()
    disable_core_dumps()
    configure_logs("verifier")
    settings = Settings.from_environment(os.environ)
    stop_with_parent()
    observe("verifier")
    run_verifier(settings, stop)


def main_api() -> None:
    """Serve the HTTP part until SIGTERM or SIGINT."""
    disable_core_dumps()
    configure_logs("verifier-api")
    settings = Settings.from_environment(os.environ)
    stop_with_parent()

    def app() -> Flask:
        observe("verifier-api")
        return join([registry_api(settings)])

    serve(
        app,
        host=settings.listen_host,
        port=settings.listen_port,
        proxies=settings.proxies,
        drain=settings.drain,
    )


if __name__ == "__main__":
    print_version(sys.argv[1:])
    if sys.argv[1:] not in ([], ["api"]):
        sys.exit("usage: python -m verifier [api]")
    with one_sentence():
        main_api() if sys.argv[1:] else main()
