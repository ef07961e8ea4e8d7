"""Services and settings of an installation that is tested."""

from collections.abc import Callable
from pathlib import Path
from threading import Event

from chassis.settings.environment import Settings
from credentials.bootstrap import command_api
from credentials.relay_bootstrap import run_relay
from projector.read.bootstrap import query_api
from projector.write.bootstrap import run_projector
from verifier.bootstrap import registry_api, run_verifier

START: dict[str, Callable[[Settings], object]] = {
    "credentials api": command_api,
    "credentials relay": lambda settings: run_relay(settings, Event()),
    "projector": lambda settings: run_projector(settings, Event()),
    "projector api": query_api,
    "verifier": lambda settings: run_verifier(settings, Event()),
    "verifier api": registry_api,
}


def settings_of(home: Path, url: str, **more: str) -> Settings:
    return Settings.from_environment(
        {"REGCRED_HOME": str(home), "REGCRED_DATABASE_URL": url, "REGCRED_METRICS_LISTEN": "", **more}
    )
