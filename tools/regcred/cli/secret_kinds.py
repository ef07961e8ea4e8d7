"""The kinds of secrets with several values. Each value has an option of the command line.

click must know the options before the client sends a request, so they are listed here. The API returns the
same list in `GET /v1/providers`. A test compares the two.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyField:
    """One value. `secret`: it comes from a file, stdin or a prompt. `user`: it is the username."""

    name: str
    label: str
    help: str = ""
    secret: bool = False
    user: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyKind:
    """One kind. The options for a password fill its first secret field."""

    id: str
    name: str
    fields: tuple[KeyField, ...]


KEY_KINDS = (
    KeyKind(
        id="aws_keys",
        name="AWS access key",
        fields=(
            KeyField(name="access_key_id", label="Access key id", help="AKIA… of an IAM user.", user=True),
            KeyField(name="secret_access_key", label="Secret access key", secret=True),
            KeyField(
                name="session_token",
                label="Session token",
                help="Only for a temporary key (ASIA…).",
                secret=True,
            ),
        ),
    ),
    KeyKind(
        id="service_principal",
        name="Azure service principal",
        fields=(
            KeyField(
                name="tenant", label="Tenant", help="The directory (tenant) id, or a domain of the directory."
            ),
            KeyField(name="client_id", label="Client id", help="The application (client) id.", user=True),
            KeyField(name="client_secret", label="Client secret", secret=True),
        ),
    ),
)
