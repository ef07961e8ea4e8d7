"""The kinds of secrets that are made of several values: an option of the command line for each value.

Options must be known before a server is asked, so they stand here; the API has the same in
`GET /v1/providers`. A test compares the two.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyField:
    """One value. `secret`: it comes from a file, stdin or a prompt. `user`: it is the kind's username."""

    name: str
    label: str
    help: str = ""
    secret: bool = False
    user: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyKind:
    """One kind. Its first secret field takes the password's place."""

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
