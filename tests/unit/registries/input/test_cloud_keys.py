"""Cloud keys in requests and in the secret store."""

from typing import Any

import pytest

from chassis.invalid_input import InvalidInput
from chassis.secret import Secret
from registries.catalogue import http_never_allowed
from registries.input.new_secret import NewSecret, Target, read_new_secret
from registries.logins.cloud_keys import AwsKeys, ServicePrincipal, read_stored_login
from registries.logins.registry_login import RegistryLogin

ECR = Target(provider="ecr", registry_url="123456789012.dkr.ecr.eu-west-1.amazonaws.com", location=None)
ACR = Target(provider="acr", registry_url="https://acmeimages.azurecr.io", location=None)
GUID = "7f1d6c8e-3b52-4c59-9d4e-5a1b2c3d4e5f"


def aws(**changes: Any) -> dict[str, Any]:
    return {
        "kind": "aws_keys",
        "access_key_id": "AKIAIOSFODNN7EXAMPLE",
        "secret_access_key": Secret("canary"),
        "session_token": None,
        **changes,
    }


def principal(**changes: Any) -> dict[str, Any]:
    return {
        "kind": "service_principal",
        "tenant": GUID,
        "client_id": GUID.upper(),
        "client_secret": Secret("canary"),
        **changes,
    }


def read(target: Target, credential: dict[str, Any]) -> NewSecret:
    return read_new_secret(target, credential, http_allowed=http_never_allowed)


def problems(target: Target, credential: dict[str, Any]) -> set[tuple[str, str]]:
    with pytest.raises(InvalidInput) as refusal:
        read(target, credential)
    assert "canary" not in str(refusal.value)
    return {(problem.pointer, problem.code) for problem in refusal.value.problems}


def test_an_access_key_has_its_id_as_username() -> None:
    secret = read(ECR, aws())
    assert secret.kind == "aws_keys"
    assert secret.login.username == "AKIAIOSFODNN7EXAMPLE"
    assert secret.registry.host == ECR.registry_url
    assert read_stored_login(secret.login.to_secret()) == secret.login


def test_a_temporary_key_has_a_session_token() -> None:
    secret = read(ECR, aws(access_key_id="ASIAIOSFODNN7EXAMPLE", session_token=Secret("session")))
    assert read_stored_login(secret.login.to_secret()) == AwsKeys(
        access_key_id="ASIAIOSFODNN7EXAMPLE",
        secret_access_key=Secret("canary"),
        session_token=Secret("session"),
    )


def test_a_service_principal_has_its_client_id_as_username() -> None:
    secret = read(ACR, principal(tenant="Acme.OnMicrosoft.com"))
    assert secret.login == ServicePrincipal(
        tenant="acme.onmicrosoft.com", client_id=GUID, client_secret=Secret("canary")
    )
    assert secret.login.username == GUID
    assert read_stored_login(secret.login.to_secret()) == secret.login


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"access_key_id": "octo"}, "access_key_id", "invalid_access_key"),
        ({"access_key_id": "akiaiosfodnn7example"}, "access_key_id", "invalid_access_key"),
        ({"access_key_id": "ASIAIOSFODNN7EXAMPLE"}, "session_token", "session_token_required"),
        ({"session_token": Secret("canary")}, "session_token", "not_allowed"),
        ({"secret_access_key": Secret("canary" * 1000)}, "secret_access_key", "too_large"),
    ],
)
def test_invalid_access_keys_are_refused(changes: dict[str, Any], pointer: str, code: str) -> None:
    assert problems(ECR, aws(**changes)) == {(f"/credential/{pointer}", code)}


@pytest.mark.parametrize(
    ("changes", "pointer", "code"),
    [
        ({"tenant": "common"}, "tenant", "invalid_tenant"),
        ({"tenant": "a/../b.example"}, "tenant", "invalid_tenant"),
        ({"tenant": "acme.example/oauth2?x="}, "tenant", "invalid_tenant"),
        ({"tenant": "a." * 200 + "example"}, "tenant", "invalid_tenant"),
        ({"client_id": "acme-deploy"}, "client_id", "invalid_client_id"),
        ({"client_secret": Secret("canary" * 1000)}, "client_secret", "too_large"),
    ],
)
def test_invalid_service_principals_are_refused(changes: dict[str, Any], pointer: str, code: str) -> None:
    assert problems(ACR, principal(**changes)) == {(f"/credential/{pointer}", code)}


@pytest.mark.parametrize(("target", "credential"), [(ACR, aws()), (ECR, principal())])
def test_keys_of_another_cloud_are_refused(target: Target, credential: dict[str, Any]) -> None:
    assert problems(target, credential) == {("/credential/kind", "not_allowed")}


def test_keys_for_a_registry_of_another_host_are_refused() -> None:
    elsewhere = Target(provider="ecr", registry_url="ghcr.io", location=None)
    assert problems(elsewhere, aws()) == {("/registry_url", "host_mismatch")}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"kind": "aws_keys"}',
        '{"kind": "aws_keys", "access_key_id": "a", "secret_access_key": 1}',
        '{"kind": "service_principal", "tenant": "t", "client_id": ""}',
        '{"kind": "aws_keys", "username": "canary", "password": "canary"}',
        "[" * 100_000,
    ],
)
def test_another_stored_secret_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(ValueError, match="the stored secret is not a") as refusal:
        read_stored_login(Secret(text))
    assert "canary" not in str(refusal.value)


def test_a_stored_login_with_a_password_is_read() -> None:
    login = RegistryLogin(username="octo", password=Secret("pw"))
    assert read_stored_login(login.to_secret()) == login
