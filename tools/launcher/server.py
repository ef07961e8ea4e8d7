"""`python -m launcher.server`: both APIs and the console at one address, for the one-machine mode."""

import os

from flask import Flask

from chassis.observability.logs import configure_logs
from chassis.observability.process import observe
from chassis.runtime.parent import stop_with_parent
from chassis.settings.environment import Settings
from chassis.web.api_part import join
from chassis.web.server import serve
from console.mount import serve_mounted
from console.settings import ConsoleSettings
from credentials.bootstrap import command_api
from projector.read.bootstrap import query_api
from verifier.bootstrap import registry_api


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    configure_logs("api")
    settings = Settings.from_environment(os.environ)
    stop_with_parent()

    def app() -> Flask:
        observe("api")
        apis = join([command_api(settings), query_api(settings), registry_api(settings)])
        # If other machines can reach the sign-in page, it must not show a path of this machine.
        own = settings.listen_host in {"127.0.0.1", "::1", "localhost"}
        hint = str(settings.home / "admin.token") if own else "admin.token in REGCRED_HOME"
        serve_mounted(apis, ConsoleSettings.from_environment(os.environ, token_hint=hint))
        return apis

    serve(app, host=settings.listen_host, port=settings.listen_port, proxies=settings.proxies)


if __name__ == "__main__":
    main()
