"""`python -m docs.contract_documents docs`: writes the published contracts.

Golden files, `events.md` and `asyncapi.yaml` go into the folder `docs`, `openapi.json` into the package that
serves it. If the code changes a released event, the program exits with an error and writes nothing.
`--release` marks all events as released.
"""

import sys
from pathlib import Path

from chassis.web.interface import FILE
from docs.contract_documents.asyncapi import asyncapi_text
from docs.contract_documents.event_page import page
from docs.contract_documents.golden import (
    RELEASED,
    broken_promises,
    golden_files,
    golden_name,
    released_names,
)
from docs.contract_documents.openapi import openapi_text
from eventlog.events import EVENTS


def main(docs: Path, *, release: bool) -> None:
    folder = docs / "schemas" / "events"
    current = golden_files()
    stored = {file.name: file.read_text(encoding="utf-8") for file in folder.glob("*.json")}
    released = released_names((folder / RELEASED).read_text(encoding="utf-8"))
    broken = broken_promises(released, stored, current)
    if broken:
        sys.exit("\n".join(broken))
    for name in stored.keys() - current.keys():
        (folder / name).unlink()
    for name, text in current.items():
        (folder / name).write_text(text, encoding="utf-8")
    if release:
        with (folder / RELEASED).open("a", encoding="utf-8") as names:
            for kind in EVENTS.all_types():
                if golden_name(kind) not in released:
                    names.write(f"{golden_name(kind)}\n")
    events = docs / "events.md"
    events.write_text(page(events.read_text(encoding="utf-8")), encoding="utf-8")
    (docs / "asyncapi.yaml").write_text(asyncapi_text(), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), release="--release" in sys.argv[2:])
    FILE.write_text(openapi_text(), encoding="utf-8")
