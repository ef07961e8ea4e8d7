"""Database logins of the services, with passwords from the files of a deployment."""

from pathlib import Path

from chassis import database_roles
from operations.migrate.identities import GROUP_ROLES, IDENTITIES


def prepare_logins(database_url: str, folder: Path) -> None:
    """Create the logins, or set their passwords. `folder` contains them as `<login>.password`.

    It is safe to repeat, and to run twice at the same time. The login of the URL must own the database and
    may create roles.
    """
    logins = {identity.login: identity.role for identity in IDENTITIES.values() if identity.role}
    passwords = {login: (folder / f"{login}.password").read_text().strip() for login in logins}
    database_roles.prepare_logins(database_url, roles=GROUP_ROLES, logins=logins, passwords=passwords)
