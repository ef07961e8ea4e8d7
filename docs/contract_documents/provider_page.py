"""`python -m docs.contract_documents.provider_page FILE` writes `docs/providers.md` from the catalogue."""

import sys
from collections.abc import Iterator
from pathlib import Path

from contracts.verdicts import VerificationCode
from registries.catalogue import PROVIDERS
from registries.provider import Provider
from registries.secret_kinds import SECRET_KINDS
from registries.verification_help import GENERAL_HELP

_REGISTRY_URL = {
    "fixed": "follows from the provider",
    "optional": "only for your own host",
    "required": "required",
}
_FOLDED = 8  # more locations than these are folded away

_HEAD = """\
# Providers

<!-- Written by `python -m docs.contract_documents.provider_page`: change the catalogue instead. -->

What a credential for each provider needs, where to get it, and what to do when its verification fails.
`GET /v1/providers` returns the same as JSON.

| provider | name | hosts | `registry_url` | secret kinds |
|---|---|---|---|---|
"""


def document() -> str:
    """The page, in Markdown."""
    rows = "".join(
        f"| [`{entry.id}`](#{entry.id}) | {entry.name} | {_codes(entry.hosts)} | "
        f"{_REGISTRY_URL[entry.registry_url]} | {_codes(entry.secret_kinds)} |\n"
        for entry in PROVIDERS
    )
    kinds = "".join(
        f"- `{kind.id}` ({_codes(tuple(field.name for field in kind.fields))}): {kind.help}\n"
        for kind in SECRET_KINDS
    )
    sections = "".join("\n".join(_section(entry)) + "\n" for entry in PROVIDERS)
    outcomes = "".join(f"| `{code}` | {GENERAL_HELP[code]} |\n" for code in VerificationCode)
    return (
        f"{_HEAD}{rows}\nSecret kinds:\n\n{kinds}\n{sections}"
        "## When a verification does not succeed\n\n"
        "General advice. The section of a provider takes precedence.\n\n"
        f"| code | what to do |\n|---|---|\n{outcomes}"
    )


def _section(entry: Provider) -> Iterator[str]:
    yield f"## {entry.id}\n"
    yield f"{entry.name}. {entry.help}\n"
    yield f"- **Least permission**: {entry.permission}"
    yield f"- **Expiry**: {entry.expiry}"
    yield f"- **Images**: `{entry.image_path}`"
    if entry.aliases:
        yield f"- **Also known as**: {_codes(entry.aliases)}"
    yield f"- **{entry.username.label}** (`username`): {entry.username.help}"
    if entry.host_rule:
        yield f"- **`registry_url`**: `{entry.host_rule.replace(' or ', '` or `')}`"
    yield from (f"- **Note**: {quirk}" for quirk in entry.quirks)
    yield f"- **Documentation**: <{entry.docs_url}>\n"
    yield from _locations(entry)
    if entry.advice:
        yield "| code | what to do |\n|---|---|"
        yield from (f"| `{code}` | {text} |" for code, text in entry.advice.items())
        yield ""


def _locations(entry: Provider) -> Iterator[str]:
    if not entry.locations:
        return
    table = "| location | where | host |\n|---|---|---|\n" + "".join(
        f"| `{location.id}` | {location.name} | `{location.host}` |\n" for location in entry.locations
    )
    if len(entry.locations) <= _FOLDED:
        yield table
    else:
        yield f"<details><summary>{len(entry.locations)} locations</summary>\n\n{table}\n</details>\n"


def _codes(texts: tuple[str, ...]) -> str:
    return ", ".join(f"`{text}`" for text in texts)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(document(), encoding="utf-8")
