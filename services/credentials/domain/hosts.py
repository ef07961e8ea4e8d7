"""What a credential is for besides its registry: additional hosts, and registries that it mirrors. Pure."""

from collections.abc import Sequence

from chassis.invalid_input import FieldProblem, InvalidInput
from contracts.credential_events import MAX_ADDITIONAL_HOSTS, MAX_MIRRORED, Hosts, Registry, SecretKind
from registries.catalogue import CLOUD_KEYS, provider_or_custom
from registries.errors import InvalidHost
from registries.hosts import canonical_host, parse_registry_url
from registries.input.new_secret import HttpAllowed

_ADDITIONAL, _MIRROR_OF = "/additional_hosts", "/mirror_of"


def additional_hosts(texts: Sequence[str], *, http_allowed: HttpAllowed) -> tuple[str, ...]:
    """Parse the additional hosts. `http_allowed` says for which ones `http://` is allowed.

    Raises:
        InvalidInput: with the pointer of each host that is invalid.
    """
    return _hosts(texts, _ADDITIONAL, most=MAX_ADDITIONAL_HOSTS, http_allowed=http_allowed)


def mirror_of(texts: Sequence[str]) -> tuple[str, ...]:
    """Parse the registries that are mirrored. Nothing is sent to them, so that any scheme is allowed.

    Raises:
        InvalidInput: with the pointer of each host that is invalid.
    """
    return _hosts(texts, _MIRROR_OF, most=MAX_MIRRORED, http_allowed=lambda _: True)


def _hosts(texts: Sequence[str], pointer: str, *, most: int, http_allowed: HttpAllowed) -> tuple[str, ...]:
    """Parse hosts in any spelling. Return them canonical, sorted, without duplicates.

    Raises:
        InvalidInput: with the pointer of each host that is invalid.
    """
    if len(texts) > most:
        problem = FieldProblem(pointer, "too_many", f"at most {most} hosts")
        raise InvalidInput((problem,))
    hosts, problems = set(), []
    for index, text in enumerate(texts):
        try:
            host, scheme = parse_registry_url(text)
        except InvalidHost as error:
            problems.append(FieldProblem(f"{pointer}/{index}", error.code, error.detail))
            continue
        if scheme == "http" and not http_allowed(host.host_and_port):
            detail = "HTTPS is required, unless the operator lists this host in REGCRED_VERIFIER_ALLOW_HTTP"
            problems.append(FieldProblem(f"{pointer}/{index}", "http_not_allowed", detail))
        hosts.add(canonical_host(host))
    if problems:
        raise InvalidInput(tuple(problems))
    return tuple(sorted(hosts))


def check_hosts(hosts: Hosts, registry: Registry, kind: SecretKind) -> None:
    """Check that the hosts fit the registry and the kind of secret of their credential.

    From cloud keys, the cloud creates a login for a host, so that the host must be one of that cloud. A host
    is not a mirror of itself.

    Raises:
        InvalidInput: one of them does not fit.
    """
    provider = provider_or_custom(registry.provider)
    problems = []
    for host in hosts.additional_hosts:
        if host == registry.host:
            detail = f"{host} is the registry of the credential already"
            problems.append(FieldProblem(_ADDITIONAL, "duplicate", detail))
        elif kind in CLOUD_KEYS and not provider.owns(host):
            detail = (
                f"logins are created from these keys for hosts of {provider.name} only, and {host} is none"
            )
            problems.append(FieldProblem(_ADDITIONAL, "host_mismatch", detail))
    problems.extend(
        FieldProblem(_MIRROR_OF, "duplicate", f"{host} is no mirror of itself")
        for host in hosts.mirror_of
        if host in {registry.host, *hosts.additional_hosts}
    )
    if problems:
        raise InvalidInput(tuple(problems))
