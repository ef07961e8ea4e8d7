"""Links of the repository's pages, led to where things are on the site."""

import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from posixpath import normpath

_LINK = re.compile(r"(\[[^\]\n]*\])\(([^)\s]+)\)")
_COPIED = "files"  # where copies are of files that pages link to


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """`root` is the repository, `target` where the site's sources go, `places` says which file is which page.

    A link to any other file gets a copy of it, one to a folder becomes text. What is not there stays as it
    is: Sphinx tells of it.
    """

    root: Path
    target: Path
    places: Mapping[str, str]

    def led(self, text: str, *, page: str, home: str) -> str:
        """The text of a page; `home` is the folder of the repository that its links begin in."""
        up = "../" * page.count("/")

        def lead(match: re.Match[str]) -> str:
            shown, (path, _, anchor) = match[1], match[2].partition("#")
            if not path or ":" in path or path.startswith("./"):
                return match[0]
            meant = normpath(f"{home}/{path}")
            if meant in self.places:
                return f"{shown}({up}{self.places[meant]}{f'#{anchor}' if anchor else ''})"
            if (self.root / meant).is_dir():
                return shown[1:-1]
            if not (self.root / meant).is_file():
                return match[0]
            return f"{shown}(<path:{up}{self._copied(meant)}>)"

        return _LINK.sub(lead, text)

    def _copied(self, file: str) -> str:
        copy = self.target / _COPIED / file
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.root / file, copy)
        return f"{_COPIED}/{file}"
