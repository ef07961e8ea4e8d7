"""The pages of the site: those of `docs/`, parts of the READMEs, and pages generated from the program.

The pages in the repository are written for GitHub. `links` rewrites their links for the site.
"""

import re
from collections.abc import Mapping
from pathlib import Path

from chassis.web.interface import document
from docs.website.api_page import api_page
from docs.website.command_page import command_page
from docs.website.links import Links
from docs.website.provider_pages import provider_pages
from regcred.__main__ import main
from registries.catalogue import PROVIDERS

ROOT = Path(__file__).parents[2]

# The navigation, in its order. Pages of `docs/` that it does not contain are under "More".
NAVIGATION: Mapping[str, tuple[str, ...]] = {
    "Start": ("start", "configuration"),
    "Guides": ("providers/index", "integrations", "console", "cli", "audit"),
    "Reference": ("api", "http", "events", "examples/consumer/README", "commands", "glossary"),
    "Operations": (
        "deployment",
        "kubernetes",
        "upgrading",
        "runbook",
        "scaling",
        "observability",
        "benchmarks",
    ),
    "Design": (
        "reliability",
        "security",
        "architecture",
        "request",
        "packages",
        "libraries/index",
        "contributing",
        "reference/index",
        "adr/index",
    ),
}
_BEGIN = """
| | |
|---|---|
| Try it on this machine | [](start.md) |
| Add a credential of a provider | [](providers/index.md) |
| Let a deploy platform pull with it | [](integrations.md), [](api.md), [](events.md) |
| Run it | [](deployment.md), [](runbook.md), [](observability.md) |
| Find out who did what | [](audit.md) |
"""
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)
# Maps the page of each library to its README.
_LIBRARIES = {
    f"libraries/{name.rpartition('/')[2]}.md": f"libs/{name}/README.md"
    for name in ("chassis", "contracts", "eventlog", "regcred/apiclient", "registries", "secretstore")
}
# Maps linked paths to pages with another name.
_RENAMED = {
    **{readme: page for page, readme in _LIBRARIES.items()},
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "docs/providers.md": "providers/index.md",
    "docs/adr": "adr/index.md",
    "docs/reference": "reference/index.md",
}
# Pages whose links are not relative to their own folder below docs/.
_HOMES = {
    **dict.fromkeys(("index.md", "start.md", "configuration.md", "request.md", "contributing.md"), "."),
    **{page: readme.removesuffix("/README.md") for page, readme in _LIBRARIES.items()},
}


def gather(root: Path, target: Path) -> None:
    """Write all pages into `target`, with the files that they link to."""
    pages = _pages(root)
    links = Links(root=root, target=target, pages={f"docs/{name}": name for name in pages} | _RENAMED)
    for name, text in pages.items():
        file = target / name
        file.parent.mkdir(parents=True, exist_ok=True)
        home = _HOMES.get(name, f"docs/{Path(name).parent}")
        file.write_text(links.rewritten(text, page=name, home=home), encoding="utf-8")


def _pages(root: Path) -> dict[str, str]:
    """All pages by name, with the links of the repository."""
    docs = root / "docs"
    pages = {
        str(file.relative_to(docs)): file.read_text(encoding="utf-8")
        for pattern in ("*.md", "reference/*.md", "adr/[0-9]*.md", "examples/*/*.md")
        for file in sorted(docs.glob(pattern))
    }
    pages.update(provider_pages(PROVIDERS, document=pages.pop("providers.md")))
    readme = (root / "README.md").read_text(encoding="utf-8")
    pages["start.md"] = (
        "# Quickstart\n"
        + _section(readme, "Two commands")
        + _section(readme, "Quickstart").replace("\n", "\n## The first credential\n", 1)
    )
    pages["configuration.md"] = "# Configuration\n" + _section(readme, "With RabbitMQ and Vault")
    pages["request.md"] = "# The path of one request\n" + _section(readme, "The path of one request")
    pages["contributing.md"] = (root / "CONTRIBUTING.md").read_text(encoding="utf-8")
    pages["api.md"] = api_page(document())
    pages["commands.md"] = command_page(main)
    for page, file in _LIBRARIES.items():
        pages[page] = (root / file).read_text(encoding="utf-8")
    names = [page.removeprefix("libraries/").removesuffix(".md") for page in _LIBRARIES]
    pages["libraries/index.md"] = _index("Libraries", names)
    decisions = [name.removesuffix(".md") for name in pages if name.startswith("adr/")]
    pages["adr/index.md"] = _index("Decisions", [name.removeprefix("adr/") for name in decisions])
    facts = [name.removesuffix(".md") for name in pages if name.startswith("reference/")]
    pages["reference/index.md"] = _index(
        "Facts and sources", [name.removeprefix("reference/") for name in facts]
    )
    pages["index.md"] = _front(readme, set(pages))
    return pages


def _section(text: str, title: str) -> str:
    """The section of a page with this heading. Raises `KeyError` without such a heading."""
    parts = _HEADING.split(text)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))[title]


def _front(readme: str, pages: set[str]) -> str:
    """The first page: the start of the README, and the complete navigation."""
    named = {page for entries in NAVIGATION.values() for page in entries}
    others = sorted(
        name.removesuffix(".md")
        for name in pages
        if "/" not in name and name.removesuffix(".md") not in named
    )
    navigation = {**NAVIGATION, **({"More": tuple(others)} if others else {})}
    shown = {
        title: [page for page in entries if f"{page}.md" in pages] for title, entries in navigation.items()
    }
    return (
        readme.partition("\n## ")[0]
        + "\n"
        + _BEGIN
        + "\n"
        + "\n".join(_tree(*entry) for entry in shown.items())
    )


def _index(title: str, pages: list[str]) -> str:
    return f"# {title}\n\n" + "\n".join(f"- [](./{page}.md)" for page in pages) + "\n\n" + _tree("", pages)


def _tree(caption: str, pages: list[str]) -> str:
    head = f"```{{toctree}}\n:hidden:\n:maxdepth: 1\n{f':caption: {caption}' if caption else ''}\n\n"
    return head + "\n".join(pages) + "\n```\n"
