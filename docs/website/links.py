"""Rewrites the links of pages in the repository for the site."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from posixpath import normpath

_LINK = re.compile(r"(\[[^\]\n]*\])\(([^)\s]+)\)")
_COPIED = "files"  # folder for copies of linked files


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Rewrites links. `root` is the repository, `target` the folder of the sources of the site.

    `pages` maps files to pages. Another linked file is copied, and a link to a folder becomes text. A link to
    a missing file stays as it is, so that Sphinx reports it.
    """

    root: Path
    target: Path
    pages: Mapping[str, str]

    def rewritten(self, text: str, *, page: str, home: str) -> str:
        """Return the text of a page with its links rewritten. They are relative to the folder `home`."""
        up = "../" * page.count("/")

        def rewrite(match: re.Match[str]) -> str:
            shown, (path, _, anchor) = match[1], match[2].partition("#")
            if not path or ":" in path or path.startswith("./"):
                return match[0]
            linked = normpath(f"{home}/{path}")
            if linked in self.pages:
                return f"{shown}({up}{self.pages[linked]}{f'#{anchor}' if anchor else ''})"
            if (self.root / linked).is_dir():
                return shown[1:-1]
            if not (self.root / linked).is_file():
                return match[0]
            return f"{shown}(<path:{up}{self._copied(linked)}>)"

        return _LINK.sub(rewrite, text)

    def _copied(self, file: str) -> str:
        copy = self.target / _COPIED / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.root / file, copy)
        return f"{_COPIED}/{file}"
