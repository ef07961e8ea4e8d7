"""Creates the minter from the settings."""

from chassis.settings.environment import Settings
from registries.dialer.addresses import NetworkPolicy
from registries.dialer.tls import tls_context
from registries.token_minter.minter import Endpoints, Minter, Now
from registries.token_minter.token_calls import TokenCalls


def open_minter(settings: Settings, *, now: Now) -> Minter:
    """Create the minter; this makes no calls.

    The operator's lists of hosts also apply to the endpoints of the clouds.
    """
    policy = NetworkPolicy.parse(settings.verifier_allow, settings.verifier_allow_http)
    logins = settings.logins
    return Minter(
        TokenCalls(policy, tls_context(settings.verifier_ca_file)),
        Endpoints(amazon=logins.amazon_endpoint, google=logins.google_endpoint, azure=logins.azure_endpoint),
        now=now,
    )
