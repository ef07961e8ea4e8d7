"""Creates the minter from the settings."""

from chassis.settings.environment import Settings
from registries.dialer.settings import network_policy, trusted_authorities
from registries.token_minter.minter import Endpoints, Minter, Now
from registries.token_minter.token_calls import TokenCalls


def open_minter(settings: Settings, *, now: Now) -> Minter:
    """Create the minter; this makes no calls.

    The operator's lists of hosts also apply to the endpoints of the clouds.

    Raises:
        InvalidSetting: as `network_policy` and `trusted_authorities`.
    """
    logins = settings.logins
    return Minter(
        TokenCalls(network_policy(settings), trusted_authorities(settings)),
        Endpoints(amazon=logins.amazon_endpoint, google=logins.google_endpoint, azure=logins.azure_endpoint),
        now=now,
    )
