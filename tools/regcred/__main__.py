"""The command `regcred`. A table names its groups; a group is imported when it runs."""

import click

from regcred.cli.examples import examples
from regcred.cli.lazy_group import Lazy, LazyGroup

_COMMANDS = {
    # For users of an account
    "audit": Lazy("regcred.cli.commands.audit:audit", "Show and prove the audit trail."),
    "completion": Lazy(
        "regcred.cli.commands.completion:completion", "Print the completion script of a shell."
    ),
    "credentials": Lazy(
        "regcred.cli.commands.credentials:credentials", "Add, show, change and remove credentials."
    ),
    "exposure": Lazy(
        "regcred.cli.commands.exposure:exposure",
        "Show which secrets were issued, to whom, and which are still to be replaced.",
    ),
    "images": Lazy(
        "regcred.cli.commands.images:images", "Read registries with the credentials of the account."
    ),
    "import": Lazy(
        "regcred.cli.commands.import_config:import_config",
        "Import every login of a Docker config.json (FILE, - is stdin).",
    ),
    "profiles": Lazy("regcred.cli.commands.profiles:profiles", "Select one of several servers."),
    "providers": Lazy("regcred.cli.commands.providers:providers", "Show what each provider needs."),
    "pull-secret": Lazy(
        "regcred.cli.commands.pull_secret:pull_secret",
        "Issue the secret that a workload needs to pull its images, or a builder to push them.",
    ),
    "release-workload": Lazy(
        "regcred.cli.commands.release_workload:release_workload",
        "Say that a workload or a whole project is gone, so that it prevents no change of a credential.",
    ),
    "system": Lazy(
        "regcred.cli.commands.system:system",
        "Show the position of each consumer of the log, and the dead letters.",
    ),
    "tokens": Lazy("regcred.cli.commands.tokens:tokens", "Create, list and revoke service tokens."),
    "why": Lazy(
        "regcred.cli.commands.why:why", "Show which credential a project would use for an image, and why."
    ),
    # For operators
    "accounts": Lazy(
        "operations.accounts.command:accounts", "Erase the personal data in the events of an account."
    ),
    "backup": Lazy(
        "operations.backup.command:backup_command",
        "Write a backup of the one-machine mode to a new FILE, also while `regcred up` runs.",
    ),
    "deadletters": Lazy(
        "operations.dead_letters.command:deadletters",
        "Inspect and retry events that a consumer could not handle.",
    ),
    "doctor": Lazy(
        "operations.doctor.command:doctor", "Check an installation and show how to fix its problems."
    ),
    "installation": Lazy(
        "operations.installation.command:installation",
        "Show or change what binds database, key file and Vault.",
    ),
    "log": Lazy("operations.log.command:log", "Verify the event log."),
    "migrate": Lazy(
        "operations.migrate.command:migrate_command", "Prepare the database, its roles and the broker."
    ),
    "projections": Lazy(
        "operations.projections.command:projections", "Rebuild read models without downtime."
    ),
    "restore": Lazy(
        "operations.backup.command:restore_command",
        "Restore a backup into an empty REGCRED_HOME, and verify it.",
    ),
    # To run everything on one machine
    "demo": Lazy("launcher.demo.command:demo", "Fill a new installation with example data."),
    "up": Lazy("launcher.up_command:up_command", "Run everything on this machine."),
}


@click.group(
    cls=LazyGroup,
    lazy=_COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=examples(
        "export REGCRED_ACCOUNT=acme",
        "regcred providers",
        "regcred credentials add team-ghcr --provider github --username octo",
        "regcred credentials list",
        title="The first steps, with `regcred up` running in another terminal:",
    ),
)
@click.version_option(package_name="regcred")
def main() -> None:
    """Store, verify and issue the credentials of external container registries.

    The client uses the token in REGCRED_TOKEN_FILE, or that of `regcred up` in REGCRED_HOME (./.regcred).
    """


if __name__ == "__main__":
    main()
