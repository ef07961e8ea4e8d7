"""`python -m projector [api]`: the consumer that updates the read models, or the query API.

Each part has an image of its own, and imports only packages that this image contains.
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


def main() -> None:
    """Update the read models until SIGTERM or SIGINT."""
    from projector.write.bootstrap import run_projector  # noqa: PLC0415 see above

    stop = stop_on_signals()
    disable_core_dumps()
    configure_logs("projector")
    settings = Settings.from_environment(os.environ)
    stop_with_parent()
    observe("projector")
    run_projector(settings, stop)


def main_api() -> None:
    """Serve the query API until SIGTERM or SIGINT."""
    from chassis.web.api_part import join  # noqa: PLC0415
    from chassis.web.server import serve  # noqa: PLC0415
    from projector.read.bootstrap import query_api  # noqa: PLC0415 see above

    disable_core_dumps()
    configure_logs("projector-api")
    settings = Settings.from_environment(os.environ)
    stop_with_parent()

    def app() -> "Flask":
        observe("projector-api")
        return join([query_api(settings)])

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
        sys.exit("usage: python -m projector [api]")
    with one_sentence():
        main_api() if sys.argv[1:] else main()
