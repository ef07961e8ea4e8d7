"""`regcred`: the one command. Its groups are imported when they are run, by this table."""

import click

from regcred.client.examples import examples
from regcred.client.lazy_group import Lazy, LazyGroup

_COMMANDS = {
    # For users of an account
    "audit": Lazy(
        "regcred.client.commands.audit:audit", "Show who did what, and how it ended; and prove it."
    ),
    "completion": Lazy(
        "regcred.client.commands.completion:completion", "Print the completion script of a shell."
    ),
    "credentials": Lazy(
        "regcred.client.commands.credentials:credentials", "Add, look at, change and remove credentials."
    ),
    "images": Lazy(
        "regcred.client.commands.images:images", "Look into registries with the account's credentials."
    ),
    "import": Lazy(
        "regcred.client.commands.import_config:import_config",
        "Keep every login of a Docker config.json (FILE, - is stdin).",
    ),
    "profiles": Lazy("regcred.client.commands.profiles:profiles", "Choose among several servers."),
    "providers": Lazy("regcred.client.commands.providers:providers", "Show what each provider needs."),
    "pull-secret": Lazy(
        "regcred.client.commands.pull_secret:pull_secret", "Get what a workload needs to pull its images."
    ),
    "system": Lazy(
        "regcred.client.commands.system:system",
        "Show how far each consumer of the log is, and what none could handle.",
    ),
    "tokens": Lazy("regcred.client.commands.tokens:tokens", "Make, list and revoke service tokens."),
    "why": Lazy(
        "regcred.client.commands.why:why", "Show which credential a project would use for an image, and why."
    ),
    # For operators
    "accounts": Lazy(
        "regcred.accounts_command:accounts", "Erase what is personal in the events of an account."
    ),
    "deadletters": Lazy(
        "regcred.deadletters_command:deadletters", "Look after events that a consumer could not handle."
    ),
    "doctor": Lazy(
        "regcred.doctor_command:doctor", "Find what is wrong with an installation, and how to mend it."
    ),
    "log": Lazy("regcred.log_command:log", "Prove that the event log is whole."),
    "migrate": Lazy("regcred.migrate_command:migrate_command", "Prepare database, roles and broker."),
    "projections": Lazy(
        "regcred.projections_command:projections", "Rebuild read models while they are read."
    ),
    # Everything on one machine
    "demo": Lazy("regcred.demo_command:demo", "Fill a fresh installation with something to look at."),
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
    """Keeps, proves and hands out the credentials of external container registries.

    The client shows the token in REGCRED_TOKEN_FILE, else that of `regcred up` in REGCRED_HOME (./.regcred).
    """


if __name__ == "__main__":
    main()
