"""A database login for each service, with the password of a deployment's files."""

from pathlib import Path

from chassis import database_roles
from operations.migrate.identities import GROUP_ROLES, IDENTITIES


def prepare_logins(database_url: str, folder: Path) -> None:
    """Create the logins, or give them the passwords that `folder` holds as `<login>.password`.

    Safe to repeat and to run twice at once. The URL's login owns the database and may create roles.
    """
    logins = {identity.login: identity.role for identity in IDENTITIES.values() if identity.role}
    passwords = {login: (folder / f"{login}.password").read_text().strip() for login in logins}
    database_roles.prepare_logins(database_url, roles=GROUP_ROLES, logins=logins, passwords=passwords)
