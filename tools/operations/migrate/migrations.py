"""The schema of the whole database: which packages own parts of it, and how it is prepared."""

from chassis import migrations as eventstore
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
    """Apply all migrations, and create the first generation of the read models; the names of the files that
    were applied now. Safe to repeat and to run twice at once.

    Raises:
        As `chassis.migrations.migrate`.
    """
    applied = eventstore.migrate(database_url, PACKAGES)
    create_first(database_url)
    return applied


def known_migrations() -> dict[str, str]:
    """Names to checksums of the files that this program brings."""
    return {migration.name: migration.checksum for migration in eventstore.migrations(PACKAGES)}
