"""A real RabbitMQ node of this test's own, in a temporary directory, on free ports: in a container, or the programs
of Debian's package.

REGCRED_TEST_RABBITMQ is the root folder of another Debian with a second RabbitMQ, which `.ci/other_rabbitmq` creates.
Its programs run there by chroot, in a mount namespace of their own that ends with them, so they see the temporary
directory at the same path.
"""

import itertools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pika
from pika.exceptions import ChannelClosedByBroker

from contracts.broker import TOPOLOGY
from eventlog import topology
from launcher.deployment.broker_definitions import definitions
from tests.support.cleanup import kill_processes_of, undone_on_failure
from tests.support.containers import ServerContainer, image_of
from tests.support.servers import free_port, missing
from tests.support.timing import PATIENCE, waiting

# The wrapper on the PATH changes to the user `rabbitmq`; the programs below do not.
_PROGRAMS = Path("/usr/lib/rabbitmq/bin")
_PATH = {"PATH": f"{_PROGRAMS}:/usr/sbin:/usr/bin:/sbin:/bin"}
DEPLOY = "regcred-deploy"
EXCHANGE = "regcred.test.events"
# Argument 0 is the root folder, the others are the command.
_IN_OTHER_ROOT = """
for folder in proc dev sys; do mount --rbind "/$folder" "$0/$folder"; done
mkdir -p "$0$HOME" && mount --bind "$HOME" "$0$HOME"
exec chroot "$0" "$@"
"""
_numbers = itertools.count(1)
PASSWORDS = {name: f"{name}-password" for name in TOPOLOGY.users}


def other_root() -> Path | None:
    """The root folder of the second RabbitMQ, if there is one."""
    named = os.environ.get("REGCRED_TEST_RABBITMQ")
    return Path(named) if named else None


class RabbitMQ:
    """A node whose virtual host `regcred` has the users, rights and queues of `launcher.deployment.broker_definitions`.

    `url` is that of `regcred-deploy`, which may do everything there; `url_of(user)` is that of another user. The
    programs are those in the folder `root`, if it is given.
    """

    def __init__(self, root: Path | None = None) -> None:
        self._image = None if root else image_of("RABBITMQ")
        self._prefix = ("unshare", "--mount", "sh", "-euc", _IN_OTHER_ROOT, str(root)) if root else ()
        self._container: ServerContainer | None = None
        programs = Path(f"{root or ''}{_PROGRAMS}")
        if self._image is None and not (programs / "rabbitmq-server").exists():
            missing("rabbitmq", "apt-get install rabbitmq-server")
        self._folder = Path(tempfile.mkdtemp(prefix="regcred-rabbitmq-"))
        self.port = free_port()
        self._pid: int | None = None
        config = self._folder / "rabbitmq.conf"
        config.write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\n"
            "log.console = false\nlog.file.level = warning\n"
            "vm_memory_high_watermark.absolute = 1GB\ndisk_free_limit.absolute = 50MB\n"
        )
        plugins = self._folder / "plugins"
        plugins.write_text("[].\n")
        self._environment = {
            "LANG": "C.UTF-8",
            "HOME": str(self._folder),  # the Erlang cookie
            "RABBITMQ_NODENAME": f"regcred-{os.getpid()}-{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_DIST_PORT": str(free_port()),
            "RABBITMQ_MNESIA_BASE": str(self._folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(self._folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(config),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(plugins),
            "RABBITMQ_PID_FILE": str(self._folder / "pid"),
            "ERL_EPMD_PORT": str(free_port()),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            # The count of messages in a quorum queue is as old as its last tick (`depths`): milliseconds, instead of 5 s.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-rabbit quorum_tick_interval 200",
        }

    @property
    def url(self) -> str:
        return self.url_of(DEPLOY)

    def url_of(self, user: str) -> str:
        return f"amqp://{user}:{PASSWORDS[user]}@127.0.0.1:{self.port}/{topology.VHOST}"

    def start(self) -> None:
        """Start the node and wait until it takes connections."""
        pid_file = self._folder / "pid"
        pid_file.unlink(missing_ok=True)
        if self._image:
            self._container = ServerContainer(
                self._image, program="rabbitmq-server", folders=[self._folder], environment=self._environment
            )
            self._wait_for_pid(pid_file)
        else:
            self._start_program()
            self._pid = self._wait_for_pid(pid_file)
        self.ctl("wait", str(pid_file), "--timeout", str(int(PATIENCE)))

    def _start_program(self) -> None:
        subprocess.run(
            [*self._prefix, _PROGRAMS / "rabbitmq-server", "-detached"],
            env={**_PATH, **self._environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # a pipe would stay open while the node runs
            stderr=subprocess.DEVNULL,
            check=True,
        )

    def _wait_for_pid(self, pid_file: Path) -> int:
        deadline = time.monotonic() + PATIENCE
        while not pid_file.exists() or not pid_file.read_text().strip():
            assert time.monotonic() < deadline, "the node wrote no pid"
            time.sleep(0.05)
        return int(pid_file.read_text())

    def prepare(self) -> None:
        """Users, rights, exchanges and queues, from the generated definitions."""
        file = self._folder / "definitions.json"
        file.write_text(json.dumps(definitions(TOPOLOGY, PASSWORDS, salt=lambda: b"salt")))
        self.ctl("import_definitions", str(file))

    def stop(self) -> None:
        """Stop the node in an orderly way; its queues stay."""
        if self._container is not None:
            self._container.terminate()
            self._container.wait(PATIENCE)
            self._container = None
            return
        self.ctl("stop", str(self._folder / "pid"))
        self._pid = None

    def kill(self) -> None:
        """Kill the node with SIGKILL."""
        if self._container is not None:
            self._container.kill()
            self._container = None
            return
        assert self._pid is not None
        os.kill(self._pid, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while Path(f"/proc/{self._pid}").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        self._pid = None

    def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl."""
        if self._container is not None:
            return self._container.run("rabbitmqctl", "--quiet", *arguments, environment=self._environment)
        return subprocess.run(
            [*self._prefix, _PROGRAMS / "rabbitmqctl", "--quiet", *arguments],
            env={**_PATH, **self._environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE,
        ).stdout

    def depth(self, queue: str) -> int:
        """Messages in a queue, unacknowledged ones too."""
        return self.depths()[queue]

    def depths(self) -> dict[str, int]:
        """The same of all queues. It takes a second of a processor: call it once for all of them."""
        table: list[dict[str, Any]] = json.loads(
            self.ctl("--formatter=json", "list_queues", "-p", topology.VHOST, "name", "messages")
        )
        return {row["name"]: int(row["messages"]) for row in table}

    def consumers(self, queue: str) -> int:
        """How many consumers a queue has now; 0 if there is no such queue."""
        with self.connect() as connection, suppress(ChannelClosedByBroker):
            return int(connection.channel().queue_declare(queue, passive=True).method.consumer_count)
        return 0

    def purge(self, *queues: str) -> None:
        """Empty these queues."""
        with self.connect() as connection:
            channel = connection.channel()
            for queue in queues:
                channel.queue_purge(queue)

    def fresh_queue(self, *keys: str, **arguments: object) -> str:
        """A durable queue of the test's own, bound to `EXCHANGE` with these keys."""
        name = f"regcred.test.{next(_numbers)}"
        with self.connect() as connection:
            channel = connection.channel()
            channel.exchange_declare(EXCHANGE, "topic", durable=True)
            channel.queue_declare(
                name,
                durable=True,
                arguments={f"x-{key.replace('_', '-')}": arguments[key] for key in arguments},
            )
            for key in keys:
                channel.queue_bind(name, EXCHANGE, key)
        return name

    def drain(self, queue: str) -> list[tuple[pika.BasicProperties, bytes]]:
        """Take all messages out of a queue, once no other consumer has any of them."""
        waiting(lambda: self.consumers(queue) == 0, f"no other consumer has messages of {queue}")
        found: list[tuple[pika.BasicProperties, bytes]] = []
        with self.connect() as connection:
            channel = connection.channel()
            while True:
                method, properties, body = channel.basic_get(queue, auto_ack=True)
                if method is None:
                    return found
                found.append((properties, body))

    def delete(self, *queues: str) -> None:
        with self.connect() as connection:
            channel = connection.channel()
            for queue in queues:
                channel.queue_delete(queue)

    def connect(self, user: str = DEPLOY) -> pika.BlockingConnection:
        parameters = pika.URLParameters(self.url_of(user))
        parameters.socket_timeout = parameters.stack_timeout = PATIENCE
        return pika.BlockingConnection(parameters)

    def __enter__(self) -> Self:
        with undone_on_failure(self.close):
            self.start()
            self.prepare()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill the node and its epmd, also while they start, and remove the folder."""
        if self._container is not None:
            self.kill()
        kill_processes_of(self._folder)  # its folder is their HOME
        shutil.rmtree(self._folder, ignore_errors=True)
