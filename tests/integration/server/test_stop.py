"""A stop signal while the application still starts, and while requests wait."""

import os
import signal
import subprocess
import sys
import time

from tests.integration.server.program import connections, response, server_process
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


def test_requests_that_wait_for_turn_or_refusal_get_their_response_before_the_end() -> None:
    sleep = b"GET /sleep?seconds=1 HTTP/1.1\r\nHost: h\r\n\r\n"
    wrong = b"GET /nothing HTTP/1.1\r\nHost: h\r\n\r\n"
    with (
        server_process("connections=1_000, threads=2, turns=1, queued_of_caller=100") as (port, process),
        connections(port, 1, sleep) as [first],
        connections(port, 100, wrong) as queued,
        connections(port, 500, wrong) as excess,
    ):
        time.sleep(0.2)
        process.send_signal(signal.SIGTERM)
        assert response(first)[1] == b"done"
        assert {response(one)[0].split()[1] for one in queued} == {b"404"}
        assert {response(one)[0].split()[1] for one in excess} == {b"429"}
        assert process.wait(PATIENCE) == 0
