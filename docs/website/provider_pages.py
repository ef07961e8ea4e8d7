"""A guide for each provider, generated from the catalogue and `docs/providers.md`, and their index page."""

import re
from collections.abc import Iterator, Sequence

from registries.provider import Provider

_KIND = {
    "username_password": "",
    "keyfile": "--keyfile key.json",
    "docker_config": "--docker-config config.json",
}
_AFTER_ADD = """\
Without a file, the command prompts for the secret and does not show it. It verifies the credential with a
login and prints the result. The form of the console for this provider has the same fields.
"""


def provider_pages(providers: Sequence[Provider], *, document: str) -> dict[str, str]:
    """Return the pages by name. The guides contain the sections of `document` (`docs/providers.md`)."""
    head, *parts = re.split(r"^## ", document, flags=re.MULTILINE)
    sections = dict(part.split("\n", 1) for part in parts)
    pages = {
        f"providers/{entry.id}.md": "\n".join(_guide(entry, sections.pop(entry.id))) for entry in providers
    }
    rest = "".join(f"## {title}\n{text}" for title, text in sections.items())
    head = re.sub(r"\]\(#([a-z]+)\)", r"](./\1.md)", head)
    tree = "```{toctree}\n:hidden:\n\n" + "\n".join(entry.id for entry in providers) + "\n```\n"
    pages["providers/index.md"] = f"{head}{rest}\n{tree}"
    return pages


def _guide(entry: Provider, section: str) -> Iterator[str]:
    yield f"# {entry.name}\n"
    yield section.strip().removeprefix(f"{entry.name}. ")
    yield "\n## Add a credential\n"
    yield "```sh\n" + "\n".join(_commands(entry)) + "\n```\n"
    yield f"{_AFTER_ADD}\n"
    yield "## Rotate its secret\n"
    yield f"```sh\nregcred credentials rotate team-{entry.id}\n```\n"
    yield "The old secret is issued until the new one is stored, and never after that."


def _commands(entry: Provider) -> Iterator[str]:
    for kind in entry.secret_kinds:
        if kind not in _KIND:
            continue  # the section above or `regcred credentials add --help` shows its command
        words = [f"regcred credentials add team-{entry.id} --provider {entry.id}"]
        if entry.registry_url == "required":
            words.append(f"--registry {entry.example_host or f'{entry.id}.example.com'}")
        if entry.locations and entry.registry_url == "fixed":
            words.append(f"--location {entry.locations[0].id}")
        if kind == "username_password" and entry.username.rule == "required":
            words.append("--username octo")
        yield " ".join(word for word in (*words, _KIND[kind]) if word)
