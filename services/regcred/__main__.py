"""`regcred`: the one command. Its groups are imported when they are run, by this table."""

import click

from regcred.client.examples import examples
from regcred.client.lazy_group import Lazy, LazyGroup

_COMMANDS = {
    # For users of an account
    "audit": Lazy("regcred.client.commands.audit:audit", "Show and prove the audit trail."),
    "completion": Lazy(
        "regcred.client.commands.completion:completion", "Print the completion script of a shell."
    ),
    "credentials": Lazy(
        "regcred.client.commands.credentials:credentials", "Add, show, change and remove credentials."
    ),
    "images": Lazy(
        "regcred.client.commands.images:images", "Read registries with the credentials of the account."
    ),
    "import": Lazy(
        "regcred.client.commands.import_config:import_config",
        "Import every login of a Docker config.json (FILE, - is stdin).",
    ),
    "profiles": Lazy("regcred.client.commands.profiles:profiles", "Select one of several servers."),
    "providers": Lazy("regcred.client.commands.providers:providers", "Show what each provider needs."),
    "pull-secret": Lazy(
        "regcred.client.commands.pull_secret:pull_secret",
        "Issue the secret that a workload needs to pull its images.",
    ),
    "system": Lazy(
        "regcred.client.commands.system:system",
        "Show the position of each consumer of the log, and the dead letters.",
    ),
    "tokens": Lazy("regcred.client.commands.tokens:tokens", "Create, list and revoke service tokens."),
    "why": Lazy(
        "regcred.client.commands.why:why", "Show which credential a project would use for an image, and why."
    ),
    # For operators
    "accounts": Lazy(
        "regcred.accounts_command:accounts", "Erase the personal data in the events of an account."
    ),
    "deadletters": Lazy(
        "regcred.deadletters_command:deadletters",
        "Inspect and retry events that a consumer could not handle.",
    ),
    "doctor": Lazy(
        "regcred.doctor_command:doctor", "Check an installation and show how to fix its problems."
    ),
    "log": Lazy("regcred.log_command:log", "Verify the event log."),
    "migrate": Lazy(
        "regcred.migrate_command:migrate_command", "Prepare the database, its roles and the broker."
    ),
    "projections": Lazy("regcred.projections_command:projections", "Rebuild read models without downtime."),
    # Everything on one machine
    "demo": Lazy("regcred.demo_command:demo", "Fill a new installation with example data."),
    "up": Lazy("regcred.up_command:up_command", "Run everything on this machine."),
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
