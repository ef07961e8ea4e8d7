"""The migrations of the complete database, from the packages that own parts of it."""

from chassis import migrations
from projector.write.generations import create_first

PACKAGES = (
    "eventlog.storage",
    "secretstore",
    "chassis.authentication",
    "credentials",
    "verifier",
    "projector",
)


def migrate(database_url: str) -> list[str]:
    """Apply all migrations, and create the first generation of the read models.

    It is safe to repeat, and to run twice at the same time. Return the names of the files that were applied
    now.

    Raises:
        MigrationRefused: as `chassis.migrations.migrate`.
    """
    applied = migrations.migrate(database_url, PACKAGES)
    create_first(database_url)
    return applied


def known_migrations() -> list[migrations.Migration]:
    """The migrations of this program, in their order."""
    return migrations.migrations(PACKAGES)
