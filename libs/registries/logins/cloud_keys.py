"""Cloud keys as stored secrets. `registries.token_minter` creates a login from them when one is needed."""

import json
from dataclasses import dataclass
from typing import Any

from chassis.secret import Secret
from registries.logins.registry_login import RegistryLogin


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsKeys:
    """An access key of AWS. A temporary key has a `session_token`; its id begins with `ASIA`.

    The id is not secret. It is in the logs of AWS, and shows users which key to renew.
    """

    access_key_id: str
    secret_access_key: Secret
    session_token: Secret | None = None

    @property
    def username(self) -> str:
        """The username that a credential shows."""
        return self.access_key_id

    def to_secret(self) -> Secret:
        """The form in which a `SecretStore` stores it."""
        fields = {
            "kind": "aws_keys",
            "access_key_id": self.access_key_id,
            "secret_access_key": self.secret_access_key.reveal(),
        }
        if self.session_token is not None:
            fields["session_token"] = self.session_token.reveal()
        return Secret(json.dumps(fields))


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePrincipal:
    """An application of a Microsoft Entra tenant, with a client secret. `tenant` is an id or a domain."""

    tenant: str
    client_id: str
    client_secret: Secret

    @property
    def username(self) -> str:
        """The username that a credential shows."""
        return self.client_id

    def to_secret(self) -> Secret:
        """The form in which a `SecretStore` stores it."""
        return Secret(
            json.dumps(
                {
                    "kind": "service_principal",
                    "tenant": self.tenant,
                    "client_id": self.client_id,
                    "client_secret": self.client_secret.reveal(),
                }
            )
        )


StoredLogin = RegistryLogin | AwsKeys | ServicePrincipal


def read_stored_login(secret: Secret) -> StoredLogin:
    """Read the output of `to_secret` of any stored login.

    Raises:
        ValueError: the secret has another form. The message contains nothing of the secret.
    """
    try:
        fields = json.loads(secret.reveal())
        kind = fields.get("kind")
    except (ValueError, AttributeError, RecursionError):
        raise ValueError("the stored secret is not a login") from None
    match kind:
        case "aws_keys":
            token = fields.get("session_token")
            return AwsKeys(
                access_key_id=_text(fields, "access_key_id"),
                secret_access_key=Secret(_text(fields, "secret_access_key")),
                session_token=None if token is None else Secret(_text(fields, "session_token")),
            )
        case "service_principal":
            return ServicePrincipal(
                tenant=_text(fields, "tenant"),
                client_id=_text(fields, "client_id"),
                client_secret=Secret(_text(fields, "client_secret")),
            )
        case _:
            return RegistryLogin.from_secret(secret)


def _text(fields: dict[str, Any], name: str) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or not value:
        raise ValueError("the stored secret is not a login")
    return value
