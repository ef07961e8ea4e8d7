"""What the theme leaves out for keyboards and screen readers (axe tells of both)."""

from pathlib import Path

_MENDED = (
    ('<p class="caption" role="heading">', '<p class="caption" role="heading" aria-level="2">'),
    # What is too wide is scrolled by keys, too.
    ("<pre>", '<pre tabindex="0">'),
    ('<div class="table-wrapper', '<div tabindex="0" class="table-wrapper'),
)


def mend(site: Path) -> None:
    """Change the pages of a built site."""
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        for found, wanted in _MENDED:
            text = text.replace(found, wanted)
        page.write_text(text, encoding="utf-8")
