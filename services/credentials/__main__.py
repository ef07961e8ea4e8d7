"""`python -m credentials api|relay`: the command API, or the relay with its housekeeping.

Each of them imports only its own modules: they have separate images, without the dependencies of the other.
"""

import os
import sys
from typing import TYPE_CHECKING

from chassis.observability.logs import configure_logs
from chassis.observability.process import observe
from chassis.runtime.cannot_start import one_sentence
from chassis.runtime.core_dumps import disable_core_dumps
from chassis.runtime.lifecycle import stop_on_signals
from chassis.runtime.parent import stop_with_parent
from chassis.runtime.version import print_version
from chassis.settings.environment import Settings

if TYPE_CHECKING:
    from flask import Flask


def main_api() -> None:
    """Serve until SIGTERM or SIGINT."""
    from chassis.web.api_part import join  # noqa: PLC0415
    from chassis.web.server import serve  # noqa: PLC0415
    from credentials.bootstrap import command_api  # noqa: PLC0415 see above

    disable_core_dumps()
    configure_logs("credentials-api")
    settings = Settings.from_environment(os.environ)
    stop_with_parent()

    def app() -> "Flask":
        observe("credentials")
        return join([command_api(settings)])

    serve(
        app,
        host=settings.listen_host,
        port=settings.listen_port,
        proxies=settings.proxies,
        drain=settings.drain,
    )


def main_relay() -> None:
    """Run until SIGTERM or SIGINT."""
    from credentials.relay_bootstrap import run_relay  # noqa: PLC0415 see above

    stop = stop_on_signals()
    disable_core_dumps()
    configure_logs("credentials-relay")
    settings = Settings.from_environment(os.environ)
    stop_with_parent()
    observe("relay")
    run_relay(settings, stop)


if __name__ == "__main__":
    print_version(sys.argv[1:])
    if sys.argv[1:] not in (["api"], ["relay"]):
        sys.exit("usage: python -m credentials api|relay")
    with one_sentence():
        main_api() if sys.argv[1] == "api" else main_relay()
