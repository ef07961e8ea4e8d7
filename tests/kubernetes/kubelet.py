"""A kubelet for the tests: it runs the pods of some Deployments as processes of this machine, and probes them.

There is no container, so the images, the users and the network of the manifests are not tested here. Everything that
decides about a rollout is real: the API server, the controllers, the files of the Secrets, the command of the init
container, the variables of the pod, the service, its database, and the probes with their periods and thresholds.
"""

import json
import os
import re
import subprocess
import sys
import time
from base64 import b64decode
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Any, Self

from chassis.runtime.clock import now
from chassis.runtime.health import is_healthy
from tests.support.kubernetes import NODE, Cluster, Object
from tests.support.servers import ROOT
from tests.support.timing import PATIENCE

_DOCKERFILE = (ROOT / "Dockerfile").read_text()
_PORTS = {"REGCRED_LISTEN": 8080, "REGCRED_METRICS_LISTEN": 9464}


def entrypoint(image: str) -> list[str]:
    """The command of an image, with the Python of this process."""
    name = image.rpartition("/")[2].partition(":")[0]
    found = re.search(
        rf"^FROM runtime AS {name}$.+?^ENTRYPOINT (\[.+?\])$", _DOCKERFILE, re.MULTILINE | re.DOTALL
    )
    assert found, image
    command: list[str] = json.loads(found[1])
    return [sys.executable, *command[1:]]


# The volumes of a container at their paths, in a mount namespace: pairs of folder and path, then the command.
_MOUNTS = """
mount -t tmpfs none /run
mkdir /run/regcred
while [ "$1" != -- ]; do
    mkdir -p "$2"
    mount --bind "$1" "$2"
    shift 2
done
shift
exec "$@"
"""


@dataclass(slots=True)
class Probe:
    """One probe of a container and its last results."""

    spec: Object
    at: float = 0.0
    failures: int = 0
    passed: bool = False

    def look(self, url: str) -> bool:
        """Ask if it is time to. True while fewer than `failureThreshold` probes in a row have failed."""
        if time.monotonic() >= self.at:
            self.at = time.monotonic() + self.spec.get("periodSeconds", 10)
            self.passed = is_healthy(url, self.spec.get("timeoutSeconds", 1))
            self.failures = 0 if self.passed else self.failures + 1
        threshold: int = self.spec.get("failureThreshold", 3)
        return self.failures < threshold


@dataclass(slots=True)
class Running:
    """A pod on this machine. Its processes listen at an address of their own."""

    pod: Object
    address: str
    folder: Path
    process: subprocess.Popen[bytes] | None = None
    probes: dict[str, Probe] = field(default_factory=dict)
    restarts: int = 0
    started: bool = False
    ready: bool | None = None
    stop_at: float | None = None

    def refusals(self) -> int:
        """How many probes in a row have said that it does not work, since its process has started."""
        return max(self.probes[kind].failures for kind in ("startup", "readiness"))


class Kubelet:
    """Runs the pods of these Deployments; the pods of other workloads stay pending.

    Args:
        cluster: its node must have been added.
        deployments: their names.
        servers: for a server of the manifests, what replaces it in the URLs of the pods.
    """

    def __init__(self, cluster: Cluster, deployments: tuple[str, ...], servers: Mapping[str, str]) -> None:
        self._cluster = cluster
        self._deployments = deployments
        self._servers = servers
        self._pods: dict[str, Running] = {}
        self._numbers = 0
        self._ended = Event()
        self._failure: BaseException | None = None
        self._thread = Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _type: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(PATIENCE)
        for running in self._pods.values():
            if running.process is not None:
                running.process.kill()
                running.process.wait(PATIENCE)
        if self._failure is not None:
            raise self._failure

    def pods(self, deployment: str) -> list[Running]:
        """The pods of a Deployment on this machine, the oldest first."""
        assert self._failure is None, self._failure
        return [one for one in list(self._pods.values()) if _name(one.pod) == deployment]

    def _run(self) -> None:
        try:
            while not self._ended.wait(0.3):
                self._look()
        except BaseException as error:
            self._failure = error

    def _look(self) -> None:
        wanted = {
            one["metadata"]["uid"]: one
            for one in self._cluster.get("pods", f"--field-selector=spec.nodeName={NODE}")
            if _name(one) in self._deployments
        }
        for uid, pod in wanted.items():
            if uid not in self._pods:
                if "deletionTimestamp" in pod["metadata"]:
                    self._remove(pod)
                    continue
                self._pods[uid] = self._admit(pod)
            running = self._pods[uid]
            running.pod = pod
            if "deletionTimestamp" in pod["metadata"]:
                self._stop(running)
            else:
                self._probe(running)
        for uid in self._pods.keys() - wanted.keys():  # removed by force
            process = self._pods.pop(uid).process
            assert process is not None
            process.kill()
            process.wait(PATIENCE)

    def _admit(self, pod: Object) -> Running:
        self._numbers += 1
        folder = self._cluster.folder / pod["metadata"]["name"]
        folder.mkdir()
        running = Running(pod, f"127.0.1.{self._numbers}", folder)
        for volume in pod["spec"]["volumes"]:
            self._mount(volume, folder / volume["name"])
        for container in pod["spec"]["initContainers"]:
            subprocess.run(_within(running, container, container["command"]), check=True, timeout=PATIENCE)
        self._start(running)
        return running

    def _mount(self, volume: Object, folder: Path) -> None:
        """Create the folder of a volume: the files of a Secret, or an empty one."""
        folder.mkdir()
        if "secret" not in volume:
            return
        [secret] = self._cluster.get("secret", volume["secret"]["secretName"])
        every = [{"key": key, "path": key} for key in secret["data"]]
        for item in volume["secret"].get("items", every):
            (folder / item["path"]).write_bytes(b64decode(secret["data"][item["key"]]))

    def _start(self, running: Running) -> None:
        [container] = running.pod["spec"]["containers"]
        variables: dict[str, str] = {}
        for source in container.get("envFrom", []):
            [found] = self._cluster.get("configmap", source["configMapRef"]["name"])
            variables |= found["data"]
        variables |= {one["name"]: one["value"] for one in container.get("env", [])}
        for server, replacement in self._servers.items():
            variables = {name: value.replace(server, replacement) for name, value in variables.items()}
        variables |= {name: f"{running.address}:{port}" for name, port in _PORTS.items()}
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("REGCRED_")}
        paths = [str(ROOT / folder) for folder in ("libs", "services", "tools")]
        with (running.folder / "log").open("ab") as log:
            running.process = subprocess.Popen(
                _within(running, container, [*entrypoint(container["image"]), *container.get("args", [])]),
                env={
                    **inherited,
                    "PYTHONPATH": os.pathsep.join(paths),
                    "REGCRED_HOME": "/run/regcred",
                    **variables,
                },
                cwd=running.folder,
                stdout=log,
                stderr=log,
            )
        running.probes = {
            kind: Probe(container[f"{kind}Probe"]) for kind in ("startup", "readiness", "liveness")
        }
        running.started = False

    def _url(self, running: Running, probe: Probe) -> str:
        [container] = running.pod["spec"]["containers"]
        ports = {one["name"]: one["containerPort"] for one in container["ports"]}
        if http := probe.spec.get("httpGet"):
            return f"http://{running.address}:{ports[http['port']]}{http['path']}"
        return f"tcp://{running.address}:{ports[probe.spec['tcpSocket']['port']]}"

    def _probe(self, running: Running) -> None:
        assert running.process is not None
        startup, readiness, liveness = (running.probes[kind] for kind in ("startup", "readiness", "liveness"))
        alive = running.process.poll() is None
        ready = False
        if alive and not running.started:
            alive = startup.look(self._url(running, startup))
            running.started = startup.passed
        elif alive:
            alive = liveness.look(self._url(running, liveness))
            within = readiness.look(self._url(running, readiness))
            ready = readiness.passed or bool(within and running.ready)
        if not alive:
            running.process.kill()
            running.process.wait(PATIENCE)
            running.restarts += 1
            self._start(running)
        if ready != running.ready:
            running.ready = ready
            self._report(running)

    def _report(self, running: Running) -> None:
        [container] = running.pod["spec"]["containers"]
        moment = now().strftime("%Y-%m-%dT%H:%M:%SZ")
        conditions = [
            {"type": kind, "status": str(bool(running.ready)), "lastTransitionTime": moment}
            for kind in ("Ready", "ContainersReady")
        ]
        status: dict[str, Any] = {
            "phase": "Running",
            "startTime": running.pod["metadata"]["creationTimestamp"],
            "conditions": conditions,
            "containerStatuses": [
                {
                    "name": container["name"],
                    "image": container["image"],
                    "imageID": "",
                    "ready": bool(running.ready),
                    "started": running.started,
                    "restartCount": running.restarts,
                    "state": {"running": {"startedAt": moment}},
                }
            ],
        }
        self._cluster.patch_status("pod", running.pod["metadata"]["name"], status)

    def _stop(self, running: Running) -> None:
        """The sleep of `preStop`, SIGTERM, and after the grace period SIGKILL."""
        assert running.process is not None
        if running.stop_at is None:
            [container] = running.pod["spec"]["containers"]
            running.stop_at = time.monotonic() + container["lifecycle"]["preStop"]["sleep"]["seconds"]
        if time.monotonic() < running.stop_at:
            return
        running.process.terminate()
        grace = running.pod["spec"]["terminationGracePeriodSeconds"]
        if running.process.poll() is None and time.monotonic() < running.stop_at + grace:
            return
        running.process.kill()
        running.process.wait(PATIENCE)
        self._remove(running.pod)
        del self._pods[running.pod["metadata"]["uid"]]

    def _remove(self, pod: Object) -> None:
        with suppress(AssertionError):  # it has been removed
            self._cluster.kubectl(
                "delete", "pod", "-n", "regcred", pod["metadata"]["name"], "--grace-period=0", "--force"
            )


def _within(running: Running, container: Object, command: list[str]) -> list[str]:
    """The command with the volumes of the container. Programs and libraries are those of this machine."""
    mounts = {
        one["mountPath"].replace("/mounted/", "/run/mounted/"): running.folder / one["name"]
        for one in container["volumeMounts"]
        if one["mountPath"].startswith(("/run/", "/mounted/"))
    }
    pairs = [str(part) for path, folder in mounts.items() for part in (folder, path)]
    moved = [part.replace("/mounted/", "/run/mounted/") for part in command]
    return ["unshare", "--mount", "sh", "-euc", _MOUNTS, "sh", *pairs, "--", *moved]


def _name(pod: Object) -> str:
    return str(pod["metadata"]["labels"].get("app.kubernetes.io/name"))
