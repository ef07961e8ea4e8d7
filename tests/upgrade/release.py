"""The source of a release, from the history of this repository. The file `commit` of its fixture names the commit."""

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

from tests.support.servers import ROOT

FOLDER = Path(__file__).parent
RELEASES = sorted(file.parent.name for file in FOLDER.glob("*/commit"))


def extract(release: str, folder: Path, *paths: str) -> None:
    """Write these paths of a release, or all of them, to a folder."""
    commit = (FOLDER / release / "commit").read_text().strip()
    archive = subprocess.run(["git", "archive", commit, *paths], cwd=ROOT, capture_output=True, check=False)
    assert archive.returncode == 0, f"the history of {release} is missing: git fetch --unshallow"
    with tarfile.open(fileobj=BytesIO(archive.stdout)) as files:
        files.extractall(folder, filter="data")
