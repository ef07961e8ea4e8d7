"""Creates the authentication that all APIs use, from the settings."""

from collections.abc import Callable
from time import monotonic
from typing import TYPE_CHECKING

from chassis.authentication.token_table import KeyedHashes, PostgresTokens, token_hash
from chassis.authentication.tokens import Principal, parse
from chassis.database import Pool
from chassis.settings.environment import Settings

if TYPE_CHECKING:
    from chassis.authentication.issuers import IssuedTokens

Authenticate = Callable[[str], Principal | None]


def open_tokens(pool: Pool, keys: KeyedHashes) -> PostgresTokens:
    """The service tokens in the database of this pool."""
    return PostgresTokens(pool, keyed_hash=token_hash(keys), monotonic=monotonic)


def open_authentication(settings: Settings, tokens: PostgresTokens) -> Authenticate:
    """Accept service tokens, and JWTs of the issuers that the operator trusts.

    Raises:
        InvalidSetting: the setting of the issuers is invalid.
    """
    issued = open_issuers(settings)
    if issued is None:
        return tokens.authenticate

    def authenticate(text: str) -> Principal | None:
        return tokens.authenticate(text) if parse(text) else issued.authenticate(text)

    return authenticate


def open_issuers(settings: Settings) -> "IssuedTokens | None":
    """The issuers that the operator trusts, or `None` if there are none. Their keys are read again later.

    Raises:
        InvalidSetting: the setting of the issuers is invalid, or a file has no keys.
    """
    if not settings.token_issuers:
        return None
    # Imported here because most installations trust no issuer and do not need JWTs.
    from chassis.authentication.issuers import FileKeys, IssuedTokens, trusted_issuers  # noqa: PLC0415

    issuers = trusted_issuers(settings.token_issuers)
    for source in issuers.values():
        if isinstance(source, FileKeys):  # a URL may be reachable later
            source.check()
    return IssuedTokens(issuers, monotonic=monotonic)
