"""A stop signal while the application still starts."""

import os
import signal
import subprocess
import sys

from tests.support.servers import free_port
from tests.support.timing import PATIENCE

PROGRAM = """
import sys, time
from chassis.web import server

def app():
    print("starting", flush=True)
    time.sleep(3600)

server.GRACEFUL_SECONDS = 0.1
server.serve(app, host="127.0.0.1", port=int(sys.argv[1]), proxies=None)
"""


def test_a_process_that_still_starts_can_be_stopped() -> None:
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(free_port())], env=os.environ, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"starting\n"
            process.send_signal(signal.SIGTERM)
            assert process.wait(PATIENCE) == 0
        finally:
            process.kill()
