"""The minter of this environment."""

from chassis.settings.environment import Settings
from registries.dialing.addresses import NetworkPolicy
from registries.dialing.trust import trusted
from registries.minting.minter import Endpoints, Minter, Now
from registries.minting.token_calls import TokenCalls


def open_minter(settings: Settings, *, now: Now) -> Minter:
    """It makes no call yet. The operator's lists of hosts hold for the clouds' endpoints too."""
    policy = NetworkPolicy.parse(settings.verifier_allow, settings.verifier_allow_http)
    logins = settings.logins
    return Minter(
        TokenCalls(policy, trusted(settings.verifier_ca_file)),
        Endpoints(amazon=logins.amazon_endpoint, google=logins.google_endpoint, azure=logins.azure_endpoint),
        now=now,
    )
