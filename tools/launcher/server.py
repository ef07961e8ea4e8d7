"""`python -m launcher.server`: both APIs and the console at one address, for the one-machine mode."""

import os

from flask import Flask

from chassis.observability.logs import configure_logs
from chassis.observability.process import observe
from chassis.runtime.core_dumps import disable_core_dumps
from chassis.runtime.parent import stop_with_parent
from chassis.settings.environment import Settings
from chassis.web.api_part import join
from chassis.web.server import serve
from console.mount import serve_mounted
from credentials.bootstrap import command_api
from launcher.child_settings import console_settings
from projector.read.bootstrap import query_api
from verifier.bootstrap import registry_api


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    disable_core_dumps()
    configure_logs("api")
    settings = Settings.from_environment(os.environ)
    console = console_settings(settings, os.environ)
    stop_with_parent()

    def app() -> Flask:
        observe("api")
        # The first part authenticates. The connections of queries also work while the database is read-only.
        apis = join([query_api(settings), command_api(settings), registry_api(settings)])
        serve_mounted(apis, console)
        return apis

    serve(app, host=settings.listen_host, port=settings.listen_port, proxies=settings.proxies)


if __name__ == "__main__":
    main()
