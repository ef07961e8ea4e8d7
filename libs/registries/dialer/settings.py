"""The operator's settings for connections to registries and clouds."""

import ssl

from chassis.settings.environment import InvalidSetting, Settings
from registries.dialer.addresses import InvalidPolicy, NetworkPolicy
from registries.dialer.tls import tls_context


def network_policy(settings: Settings) -> NetworkPolicy:
    """Read the operator's lists.

    Raises:
        InvalidSetting: an entry of a list cannot be read.
    """
    allow, allow_http = settings.verifier_allow, settings.verifier_allow_http
    for name, lists in {
        "REGCRED_VERIFIER_ALLOW": (allow, ""),
        "REGCRED_VERIFIER_ALLOW_HTTP": ("", allow_http),
    }.items():
        try:
            NetworkPolicy.parse(*lists)
        except InvalidPolicy as error:
            raise InvalidSetting(name, str(error)) from None
    return NetworkPolicy.parse(allow, allow_http)


def trusted_authorities(settings: Settings) -> ssl.SSLContext:
    """Trust the certificate authorities of the machine, and those in the operator's file.

    Raises:
        InvalidSetting: the file cannot be read, or does not contain certificates.
    """
    name, path = "REGCRED_VERIFIER_CA_FILE", settings.verifier_ca_file
    try:
        return tls_context(path)
    except ssl.SSLError:
        raise InvalidSetting(name, f"{path} does not contain certificates in PEM") from None
    except OSError as error:
        raise InvalidSetting(name, f"{path} cannot be read: {error.strerror}") from None
