"""`python -m docs.website FOLDER`: builds the documentation site with Sphinx. A dead link is an error.

The site consists of static files and loads nothing from other hosts. A browser can open it without a web
server.
"""

import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from docs.website.accessible import make_accessible
from docs.website.pages import ROOT, gather

_CONFIGURATION = Path(__file__).parent


def build(target: Path) -> int:
    """Build the site into this folder, and return the exit code of Sphinx. A previous site is replaced."""
    with TemporaryDirectory(prefix="regcred-docs-") as scratch:
        source, built = Path(scratch) / "source", Path(scratch) / "site"
        gather(ROOT, source)
        done = subprocess.run(
            [
                *(sys.executable, "-m", "sphinx", "--builder", "html", "--conf-dir", _CONFIGURATION),
                *("--fail-on-warning", "--keep-going", "--nitpicky", "--quiet"),
                *("--doctree-dir", Path(scratch) / "doctrees", source, built),
            ],
            check=False,
        )
        if done.returncode == 0:
            make_accessible(built)
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(built, target)
    return done.returncode


if __name__ == "__main__":
    if len(sys.argv) != 2:  # noqa: PLR2004 the program and a folder
        sys.exit("usage: python -m docs.website FOLDER")
    folder = Path(sys.argv[1])
    code = build(folder)
    if code == 0:
        print(f"the site is in {folder}: open {folder / 'index.html'}")  # noqa: T201 output for the user
    sys.exit(code)
