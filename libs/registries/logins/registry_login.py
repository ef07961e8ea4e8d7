"""A login at a registry as a stored secret."""

import json
from dataclasses import dataclass

from chassis.secret import Secret

_FIELDS = ("username", "password", "identity_token")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryLogin:
    """A username with a password, token or key file; or an OAuth identity token (Docker's `identitytoken`).

    Exactly one of `password` and `identity_token` is set. `username` is not secret. For an identity token it
    is `<token>`, the convention of Docker's credential helpers.
    """

    username: str
    password: Secret | None = None
    identity_token: Secret | None = None

    def __post_init__(self) -> None:
        if (self.password is None) == (self.identity_token is None):
            raise ValueError("a login has either a password or an identity token")

    def to_secret(self) -> Secret:
        """The form in which a `SecretStore` stores it."""
        fields = {"username": self.username}
        if self.password is not None:
            fields["password"] = self.password.reveal()
        if self.identity_token is not None:
            fields["identity_token"] = self.identity_token.reveal()
        return Secret(json.dumps(fields))

    @classmethod
    def from_secret(cls, secret: Secret) -> "RegistryLogin":
        """Read the output of `to_secret`.

        Raises:
            ValueError: the secret has another form. The message contains nothing of the secret.
        """
        try:
            fields = json.loads(secret.reveal())
            username, password, token = (fields.get(name) for name in _FIELDS)
            return cls(
                username=_text(username),
                password=None if password is None else Secret(_text(password)),
                identity_token=None if token is None else Secret(_text(token)),
            )
        except (ValueError, AttributeError, RecursionError):
            raise ValueError("the stored secret is not a registry login") from None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("not a text")  # noqa: TRY004 the caller replaces all errors by one
    return value
