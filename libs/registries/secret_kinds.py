"""The kinds of secrets with their fields. Forms and the options of the command line are derived from them.

`registries.input` checks the values.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretField:
    """A field of a secret.

    `secret`: the value is never shown. `document`: the value is a JSON file. `user`: the value is shown as
    the username.
    """

    name: str
    label: str
    help: str = ""
    secret: bool = False
    required: bool = True
    document: bool = False
    user: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretKindForm:
    """A kind of secret with its fields, for forms."""

    id: str
    name: str
    help: str
    fields: tuple[SecretField, ...]


SECRET_KINDS: tuple[SecretKindForm, ...] = (
    SecretKindForm(
        id="username_password",
        name="Username and secret",
        help="Username with a password or token.",
        fields=(
            SecretField(name="username", label="Username", required=False, user=True),
            SecretField(name="password", label="Password, token or API key", secret=True),
        ),
    ),
    SecretKindForm(
        id="keyfile",
        name="Service account key file",
        help="Service-account key file (JSON).",
        fields=(
            SecretField(
                name="keyfile",
                label="Key file (JSON)",
                help="The file of a service account, as downloaded from Google.",
                secret=True,
                document=True,
            ),
        ),
    ),
    SecretKindForm(
        id="docker_config",
        name="Docker config.json",
        help="Docker config.json, or a Kubernetes Secret that contains one.",
        fields=(
            SecretField(
                name="docker_config",
                label="config.json",
                help="With the login of exactly one registry. For several registries, import the file.",
                secret=True,
                document=True,
            ),
        ),
    ),
    SecretKindForm(
        id="aws_keys",
        name="AWS access key",
        help="AWS access key. ECR passwords, valid for 12 hours, are created from it.",
        fields=(
            SecretField(name="access_key_id", label="Access key id", help="AKIA… of an IAM user.", user=True),
            SecretField(name="secret_access_key", label="Secret access key", secret=True),
            SecretField(
                name="session_token",
                label="Session token",
                help="Only for a temporary key (ASIA…).",
                secret=True,
                required=False,
            ),
        ),
    ),
    SecretKindForm(
        id="service_principal",
        name="Azure service principal",
        help="Application of Microsoft Entra. Tokens that are valid for some hours are created from it.",
        fields=(
            SecretField(
                name="tenant", label="Tenant", help="The directory (tenant) id, or a domain of the directory."
            ),
            SecretField(name="client_id", label="Client id", help="The application (client) id.", user=True),
            SecretField(name="client_secret", label="Client secret", secret=True),
        ),
    ),
)
BY_KIND = {kind.id: kind for kind in SECRET_KINDS}
