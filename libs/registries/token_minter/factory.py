"""The minter of this environment."""

from chassis.settings.environment import Settings
from registries.dialer.addresses import NetworkPolicy
from registries.dialer.tls import tls_context
from registries.token_minter.minter import Endpoints, Minter, Now
from registries.token_minter.token_calls import TokenCalls


def open_minter(settings: Settings, *, now: Now) -> Minter:
    """It makes no call yet. The operator's lists of hosts hold for the clouds' endpoints too."""
    policy = NetworkPolicy.parse(settings.verifier_allow, settings.verifier_allow_http)
    logins = settings.logins
    return Minter(
        TokenCalls(policy, tls_context(settings.verifier_ca_file)),
        Endpoints(amazon=logins.amazon_endpoint, google=logins.google_endpoint, azure=logins.azure_endpoint),
        now=now,
    )
