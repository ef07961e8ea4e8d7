"""Checks the settings of the processes of the one-machine mode before they start.

A process with an invalid setting would stop at once, and the supervisor would restart it again and again.
"""

from collections.abc import Mapping

from chassis.authentication.factory import open_issuers
from chassis.observability.tracing import wants_tracing
from chassis.runtime.clock import now
from chassis.settings.environment import Settings
from console.settings import ConsoleSettings
from verifier.logins import open_logins


def check_child_settings(settings: Settings, environment: Mapping[str, str]) -> None:
    """Read every setting that the processes read in addition to `settings`, by the same functions.

    Raises:
        InvalidSetting: the message names the variable.
    """
    open_logins(settings, now=now)
    open_issuers(settings)
    wants_tracing(environment)
    console_settings(settings, environment)


def console_settings(settings: Settings, environment: Mapping[str, str]) -> ConsoleSettings:
    """The settings of the mounted console. Raises `InvalidSetting`."""
    # If other machines can reach the sign-in page, it must not show a path of this machine.
    own = settings.listen_host in {"127.0.0.1", "::1", "localhost"}
    hint = str(settings.home / "admin.token") if own else "admin.token in REGCRED_HOME"
    return ConsoleSettings.from_environment(environment, token_hint=hint)
