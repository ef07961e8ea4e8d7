"""What a stored secret holds: the login that a registry takes."""

import json
from dataclasses import dataclass

from shared.secretstore.secret import Secret


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryLogin:
    """A user name with a password, token or key file; or an OAuth identity token (Docker's `identitytoken`).

    Exactly one of `password` and `identity_token` is given. `username` is not a secret; it is
    `<token>` for an identity token, the convention of Docker's credential helpers.
    """

    username: str
    password: Secret | None = None
    identity_token: Secret | None = None

    def __post_init__(self) -> None:
        if (self.password is None) == (self.identity_token is None):
            raise ValueError("a login has either a password or an identity token")

    def to_secret(self) -> Secret:
        """The form in which it is put into a `SecretStore`."""
        fields = {"username": self.username}
        if self.password is not None:
            fields["password"] = self.password.reveal()
        if self.identity_token is not None:
            fields["identity_token"] = self.identity_token.reveal()
        return Secret(json.dumps(fields))

    @classmethod
    def from_secret(cls, secret: Secret) -> "RegistryLogin":
        """Read back what `to_secret` wrote.

        Raises:
            ValueError: the secret is not of that form. The message holds nothing of it.
        """
        try:
            fields = json.loads(secret.reveal())
            password, token = fields.get("password"), fields.get("identity_token")
            return cls(
                username=fields["username"],
                password=None if password is None else Secret(password),
                identity_token=None if token is None else Secret(token),
            )
        except (ValueError, KeyError, AttributeError):
            raise ValueError("the stored secret is not a registry login") from None
