"""Reads cloud keys from a request, and checks their form. Values in the wrong field are refused."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from chassis.invalid_input import FieldProblem, InvalidInput
from registries.logins.cloud_keys import AwsKeys, ServicePrincipal

# AKIA: key of a user, ASIA: temporary key (AWS, "Unique identifiers" of IAM).
_ACCESS_KEY_ID = re.compile(r"(AKIA|ASIA)[A-Z0-9]{12,124}")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_TENANT = re.compile(r"(?=.{1,253}\Z)[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_MAX_SECRET = 4096


def read_aws_keys(credential: Mapping[str, Any]) -> AwsKeys:
    """The access key in the `credential` of a request.

    Raises:
        InvalidInput: codes `invalid_access_key, session_token_required, not_allowed, too_large`.
    """
    keys = AwsKeys(
        access_key_id=credential["access_key_id"],
        secret_access_key=credential["secret_access_key"],
        session_token=credential["session_token"],
    )
    _raise_all(_problems_of_keys(keys))
    return keys


def read_service_principal(credential: Mapping[str, Any]) -> ServicePrincipal:
    """The service principal in the `credential` of a request.

    Raises:
        InvalidInput: codes `invalid_tenant, invalid_client_id, too_large`.
    """
    principal = ServicePrincipal(
        tenant=credential["tenant"].lower(),
        client_id=credential["client_id"].lower(),
        client_secret=credential["client_secret"],
    )
    _raise_all(_problems_of_principal(principal))
    return principal


def _problems_of_keys(keys: AwsKeys) -> Iterator[FieldProblem]:
    if not _ACCESS_KEY_ID.fullmatch(keys.access_key_id):
        detail = "the id of an AWS access key begins with AKIA or ASIA"
        yield FieldProblem("/credential/access_key_id", "invalid_access_key", detail)
    elif keys.access_key_id.startswith("ASIA") and keys.session_token is None:
        detail = "a temporary key (ASIA...) needs its session token"
        yield FieldProblem("/credential/session_token", "session_token_required", detail)
    elif keys.access_key_id.startswith("AKIA") and keys.session_token is not None:
        detail = "the key of a user (AKIA...) must not have a session token"
        yield FieldProblem("/credential/session_token", "not_allowed", detail)
    if len(keys.secret_access_key.reveal()) > _MAX_SECRET:
        yield FieldProblem("/credential/secret_access_key", "too_large", "this is not a secret access key")


def _problems_of_principal(principal: ServicePrincipal) -> Iterator[FieldProblem]:
    if not (_GUID.fullmatch(principal.tenant) or _TENANT.fullmatch(principal.tenant)):
        detail = "enter the directory (tenant) id, or a domain of the directory such as acme.onmicrosoft.com"
        yield FieldProblem("/credential/tenant", "invalid_tenant", detail)
    if not _GUID.fullmatch(principal.client_id):
        detail = "enter the application (client) id, which has 8-4-4-4-12 hexadecimal digits"
        yield FieldProblem("/credential/client_id", "invalid_client_id", detail)
    if len(principal.client_secret.reveal()) > _MAX_SECRET:
        yield FieldProblem("/credential/client_secret", "too_large", "this is not a client secret")


def _raise_all(problems: Iterator[FieldProblem]) -> None:
    found = tuple(problems)
    if found:
        raise InvalidInput(found)
