"""Fixes for keyboards and screen readers that the theme lacks (reported by axe)."""

from pathlib import Path

_REPLACEMENTS = (
    ('<p class="caption" role="heading">', '<p class="caption" role="heading" aria-level="2">'),
    # Wide content must also scroll by keyboard.
    ("<pre>", '<pre tabindex="0">'),
    ('<div class="table-wrapper', '<div tabindex="0" class="table-wrapper'),
)


def make_accessible(site: Path) -> None:
    """Fix the pages of a built site."""
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for found, wanted in _REPLACEMENTS:
            text = text.replace(found, wanted)
        page.write_text(text, encoding="utf-8")
