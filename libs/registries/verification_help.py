"""Advice after a verification: that of the provider, or the general advice."""

from collections.abc import Mapping

from contracts.verdicts import VerificationCode as Code
from registries.catalogue import provider_or_custom

GENERAL_HELP: Mapping[Code, str] = {
    Code.BAD_CREDENTIAL: (
        "The registry refused the username or the secret. Check both, create a new token if in doubt, "
        "and rotate the secret of this credential."
    ),
    Code.MISSING_SCOPE: (
        "The login is valid, but the token lacks the permission to read images. Create a token with the "
        "least permission named for this provider, and rotate the secret of this credential."
    ),
    Code.FORBIDDEN: (
        "The registry forbids this login. Look for an IP allow-list, a firewall or a policy that blocks "
        "this service, or for a disabled account."
    ),
    Code.EXPIRED: "The secret has expired. Create a new one and rotate the secret of this credential.",
    Code.RATE_LIMITED: (
        "The registry limits the number of requests. The credential could not be verified; regcred will try "
        "again later."
    ),
    Code.UNREACHABLE: (
        "The registry did not respond. Check its name and port, and that this service can connect to it; "
        "regcred will try again. An operator must allow a registry in a private network with "
        "REGCRED_VERIFIER_ALLOW."
    ),
    Code.TLS_ERROR: (
        "The registry's certificate is not trusted, has expired or is for another name. Renew it, or "
        "serve it with its full chain from a public authority."
    ),
    Code.BLOCKED_HOST: (
        "The registry, or its token server, has an address that this service is not allowed to reach, or the "
        "token server is at another domain. An operator can allow it with REGCRED_VERIFIER_ALLOW."
    ),
    Code.NOT_A_REGISTRY: (
        "The host is not a container registry. Enter the registry's own host, which often differs from "
        "that of its web site, and its port."
    ),
    Code.BAD_CHALLENGE: (
        "The registry's login instructions cannot be used. Check the token server's address and service "
        "name in its configuration."
    ),
    Code.UNVERIFIABLE: (
        "The registry accepts every login, or needs none, so this credential could not be verified. Verify "
        "it on an image that only this login can read."
    ),
    Code.NO_PULL_ACCESS: (
        "The login is valid, but has no pull access to that repository. Grant the account or token read "
        "access, and check the repository's name."
    ),
    Code.NO_PUSH_ACCESS: (
        "The login is valid and can pull from that repository, but not push. Grant the account or token "
        "write access, or remove push from the credential's scope."
    ),
    Code.SECRET_UNREADABLE: (
        "The stored secret cannot be read any more, so no login was tried and no pull secret can be issued. "
        "Rotate the secret of this credential. If other credentials have the same fault, an operator must "
        "check the secret store and the key file."
    ),
}


def help_for(provider_id: str, code: Code) -> str:
    """What to do at this provider after a verdict. For an unknown provider it is the general advice."""
    return provider_or_custom(provider_id).advice.get(code) or GENERAL_HELP[code]


def help_for_image(provider_id: str, code: Code | None) -> str | None:
    """What to do after an accepted login was tested on an image; `None` if there is nothing to do."""
    if code is None or code is Code.UNVERIFIABLE:  # an inconclusive test; the deployment will show the result
        return None
    return help_for(provider_id, code)
