"""Docker's registry (distribution), with htpasswd or token authentication: in a container or as Debian's program."""

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import httpx2

from tests.support.cleanup import undone_on_failure
from tests.support.containers import ServerContainer, image_of
from tests.support.servers import free_port, missing, program
from tests.support.timing import PATIENCE

_HOW = "apt-get install docker-registry apache2-utils"


class DockerRegistry:
    """A registry on a free port of the loopback address; `address` is its host:port.

    `users` (name to password) is for htpasswd; `token` is the `auth.token` section of its configuration, for
    token authentication; neither leaves it open. `tls` is a certificate and its key.
    """

    def __init__(
        self,
        *,
        users: Mapping[str, str] | None = None,
        token: Mapping[str, str] | None = None,
        tls: tuple[Path, Path] | None = None,
    ) -> None:
        self._image = image_of("REGISTRY")
        binary = program("docker-registry")
        if binary is None and self._image is None:
            missing("docker-registry", _HOW)
        self._binary = binary
        self._folder = Path(tempfile.mkdtemp(prefix="regcred-registry-"))
        self.address = f"127.0.0.1:{free_port()}"
        self._tls = tls
        self._token = dict(token or {})
        self._process: subprocess.Popen[bytes] | ServerContainer | None = None
        with undone_on_failure(self.close):
            self._configure(users, token)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        self._process = self._started()
        deadline = time.monotonic() + PATIENCE
        scheme = "https" if self._tls else "http"
        while True:
            try:
                httpx2.get(f"{scheme}://{self.address}/v2/", verify=False, trust_env=False)
            except httpx2.HTTPError:
                assert time.monotonic() < deadline, self._said()[-2000:]
                assert self._process.poll() is None, self._said()[-2000:]
                time.sleep(0.05)
            else:
                return

    def _started(self) -> "subprocess.Popen[bytes] | ServerContainer":
        environment = {"OTEL_TRACES_EXPORTER": "none"}
        if self._image:
            files = [
                *(self._tls or ()),
                *(Path(text) for text in self._token.values() if text.startswith("/")),
            ]
            seen = {file: str(file) for file in files}
            return ServerContainer(
                self._image,
                folders=[self._folder],
                mounts={self._folder / "config.yml": "/etc/docker/registry/config.yml", **seen},
                environment=environment,
            )
        assert self._binary is not None
        with (self._folder / "log").open("ab") as log:
            return subprocess.Popen(
                [self._binary, "serve", self._folder / "config.yml"],
                stdout=log,
                stderr=log,
                env={**os.environ, **environment},
            )

    def _said(self) -> str:
        if isinstance(self._process, ServerContainer):
            return self._process.logs()
        return (self._folder / "log").read_text()

    def stop(self) -> None:
        """Stop it; its address stays its own."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE)
            self._process = None

    def __enter__(self) -> Self:
        with undone_on_failure(self.close):
            self.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop it, and remove its folder."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _configure(self, users: Mapping[str, str] | None, token: Mapping[str, str] | None) -> None:
        lines = [
            "version: 0.1",
            "log: {level: error}",
            f"storage: {{filesystem: {{rootdirectory: {self._folder / 'data'}}}}}",
            "http:",
            f"  addr: {self.address}",
        ]
        if self._tls:
            lines += ["  tls:", f"    certificate: {self._tls[0]}", f"    key: {self._tls[1]}"]
        if users is not None:
            lines += ["auth:", "  htpasswd:", "    realm: a registry", f"    path: {self._htpasswd(users)}"]
        elif token is not None:
            lines += ["auth:", "  token:", *(f"    {name}: {value}" for name, value in token.items())]
        (self._folder / "config.yml").write_text("\n".join(lines) + "\n")

    def _htpasswd(self, users: Mapping[str, str]) -> Path:
        htpasswd = program("htpasswd")
        if htpasswd is None:
            missing("htpasswd", _HOW)
        file = self._folder / "htpasswd"
        file.write_text("")
        for name, password in users.items():
            made = subprocess.run(
                [htpasswd, "-Bni", name], input=password, capture_output=True, text=True, check=True
            )
            with file.open("a") as lines:
                lines.write(made.stdout.strip() + "\n")
        return file
