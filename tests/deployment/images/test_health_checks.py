"""The health checks of the images and of docker-compose.yml tolerate a loaded machine."""

import re

import yaml

from chassis.runtime.health import HEALTH_CHECK_SECONDS
from tests.support.servers import ROOT

OPTION = re.compile(r"--(interval|timeout|start-period|retries)=(\w+)")
IN_DOCKERFILE = re.findall(r"^HEALTHCHECK (.+) \\$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)


def test_every_health_check_of_an_image_has_the_same_limits() -> None:
    assert len(IN_DOCKERFILE) == 6
    assert len(set(IN_DOCKERFILE)) == 1


def test_the_health_check_of_registries_has_the_limits_of_the_images() -> None:
    limits = {name.replace("-", "_"): value for name, value in OPTION.findall(IN_DOCKERFILE[0])}
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    written = {name: str(value) for name, value in services["registries"]["healthcheck"].items()}
    del written["test"]
    assert written == limits


def test_a_health_check_has_time_to_start_python() -> None:
    timeout = dict(OPTION.findall(IN_DOCKERFILE[0]))["timeout"]
    assert int(timeout.removesuffix("s")) >= HEALTH_CHECK_SECONDS + 5
