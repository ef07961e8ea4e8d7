"""A guide for each provider, made from the catalogue as `docs/providers.md` is, and the page before them."""

import re
from collections.abc import Iterator, Sequence

from registries.provider import Provider

_KIND = {
    "username_password": "",
    "keyfile": "--keyfile key.json",
    "docker_config": "--docker-config config.json",
}
_KEPT = """\
A secret that is in no file is asked for, hidden. The login is tried at once, and the command says how it
ended. The console's form for this provider has the same fields.
"""


def provider_pages(providers: Sequence[Provider], *, whole: str) -> dict[str, str]:
    """Pages by name. `whole` is `docs/providers.md`: its sections are the guides' contents."""
    head, *parts = re.split(r"^## ", whole, flags=re.MULTILINE)
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
    yield "\n## Keep it\n"
    yield "```sh\n" + "\n".join(_commands(entry)) + "\n```\n"
    yield f"{_KEPT}\n"
    yield "## Replace it\n"
    yield f"```sh\nregcred credentials rotate team-{entry.id}\n```\n"
    yield "The old secret is given out until the new one is kept, and never after it."


def _commands(entry: Provider) -> Iterator[str]:
    for kind in entry.secret_kinds:
        if kind not in _KIND:
            continue  # its command is in the section above, or in `regcred credentials add --help`
        words = [f"regcred credentials add team-{entry.id} --provider {entry.id}"]
        if entry.registry_url == "required":
            words.append(f"--registry {entry.example_host or f'{entry.id}.example.com'}")
        if entry.locations and entry.registry_url == "fixed":
            words.append(f"--location {entry.locations[0].id}")
        if kind == "username_password" and entry.username.rule == "required":
            words.append("--username octo")
        yield " ".join(word for word in (*words, _KIND[kind]) if word)
