"""The kinds of secrets, and what each is made of: fields of forms, options of the command line, their texts.

The one place of this data. What a kind's values have to look like, `registries.input` says.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class SecretField:
    """A part of a secret. `secret`: it is shown to nobody. `document`: a JSON file. `user`: it stands where a
    username does, and is shown.
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
    """A kind of secret, as a form asks for it."""

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
                help="The file of a service account as Google gave it.",
                secret=True,
                document=True,
            ),
        ),
    ),
    SecretKindForm(
        id="docker_config",
        name="Docker config.json",
        help="Docker config.json, or a Secret of Kubernetes that holds one.",
        fields=(
            SecretField(
                name="docker_config",
                label="config.json",
                help="With the login of exactly one registry. For many, import the file.",
                secret=True,
                document=True,
            ),
        ),
    ),
    SecretKindForm(
        id="aws_keys",
        name="Access key of AWS",
        help="Access key of AWS; passwords of 12 hours are made of it whenever they are needed.",
        fields=(
            SecretField(name="access_key_id", label="Access key id", help="AKIA… of an IAM user.", user=True),
            SecretField(name="secret_access_key", label="Secret access key", secret=True),
            SecretField(
                name="session_token",
                label="Session token",
                help="Only for a key that is itself temporary (ASIA…).",
                secret=True,
                required=False,
            ),
        ),
    ),
    SecretKindForm(
        id="service_principal",
        name="Service principal of Azure",
        help="Application of Microsoft Entra; deployments get tokens of some hours in its place.",
        fields=(
            SecretField(name="tenant", label="Tenant", help="The directory (tenant) id, or a domain of it."),
            SecretField(name="client_id", label="Client id", help="The application (client) id.", user=True),
            SecretField(name="client_secret", label="Client secret", secret=True),
        ),
    ),
)
BY_KIND = {kind.id: kind for kind in SECRET_KINDS}
