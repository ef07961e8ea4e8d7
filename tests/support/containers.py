"""Where the servers of tests come from: a container each where that is asked for, else programs of this machine.

REGCRED_TEST_IMAGES names an environment file with the servers' images, such as `infra/standins/standins.env`; the
names are those of docker-compose.yml. Where it is set and Docker answers, a server that it names runs in a container
(testcontainers). It shares this machine's network, and sees its folder at the same path: all that is said about a
server elsewhere in `tests/support` holds for both.
"""

import os
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from tests.support.cleanup import undone_on_failure


@cache
def image_of(server: str) -> str | None:
    """The image to run a server in (`POSTGRES`, `RABBITMQ`, `VAULT`, `REGISTRY`); `None`: a program runs."""
    named = os.environ.get("REGCRED_TEST_IMAGES")
    if not named or not _docker_answers():
        return None
    lines = Path(named).read_text().splitlines()
    return dict(line.partition("=")[::2] for line in lines).get(f"{server}_IMAGE")


@cache
def _docker_answers() -> bool:
    from testcontainers.core.docker_client import DockerClient

    try:
        asking = DockerClient(timeout=10).client
    except Exception:  # it asks for the version at once
        return False
    asking.close()
    return True


class ServerContainer:
    """A server in a container, gone when it ends: what lasts is in the folders. It has the part of
    `subprocess.Popen` that tests of servers use.

    `program` replaces the command of the image, `arguments` are given to it. `folders` are mounted at their own paths,
    `mounts` (here, there) elsewhere. It runs as the user of the tests, so that these can remove what it wrote,
    unless `user` says otherwise. `options` are Docker's.
    """

    def __init__(
        self,
        image: str,
        *,
        program: str | None = None,
        arguments: Sequence[str] = (),
        folders: Sequence[Path] = (),
        mounts: Mapping[Path, str] = MappingProxyType({}),
        environment: Mapping[str, str] = MappingProxyType({}),
        user: str | None = None,
        **options: Any,
    ) -> None:
        from testcontainers.core.config import testcontainers_config
        from testcontainers.core.container import DockerContainer

        testcontainers_config.ryuk_disabled = True  # its image would be pulled; fixtures clean up themselves
        self._container = DockerContainer(image).with_kwargs(
            network="host",
            user=user or f"{os.getuid()}:{os.getgid()}",
            entrypoint=[program] if program else None,
            **options,
        )
        if arguments:
            self._container.with_command(list(arguments))
        for name, value in environment.items():
            self._container.with_env(name, value)
        for folder in folders:
            self._container.with_volume_mapping(str(folder), str(folder), "rw")
        for here, there in mounts.items():
            self._container.with_volume_mapping(str(here), there, "ro")
        self._ended = False
        with undone_on_failure(self._remove):
            self._container.start()

    def poll(self) -> int | None:
        """`None` while it runs."""
        if self._ended:
            return 0
        wrapped = self._container.get_wrapped_container()
        wrapped.reload()
        return None if wrapped.status in ("created", "running") else 1

    def terminate(self) -> None:
        """SIGTERM, as `docker stop` says it."""
        if not self._ended:
            self._container.get_wrapped_container().stop(timeout=20)

    def kill(self) -> None:
        """Kill it with SIGKILL."""
        self._remove()

    def wait(self, _seconds: float) -> None:
        """Until it is gone."""
        self._remove()

    def logs(self) -> str:
        """Its logs."""
        return str(self._container.get_wrapped_container().logs().decode())

    def run(self, *command: str, environment: Mapping[str, str]) -> str:
        """Run a command beside it, as `subprocess.run(check=True)` would: its standard output."""
        code, (out, err) = self._container.get_wrapped_container().exec_run(
            list(command), environment=dict(environment), demux=True
        )
        said, error = (out or b"").decode(), (err or b"").decode()
        if code != 0:
            raise subprocess.CalledProcessError(code, command, said, error)
        return said

    def _remove(self) -> None:
        if not self._ended:
            self._ended = True
            self._container.stop()  # it is killed and removed with its volumes
