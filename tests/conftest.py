"""`make test WORKERS=2` runs the suite in two processes. What shares the systems that it has started stays together: a
file, or a whole folder.
"""

import pytest

FOLDERS = ("browser", "containers", "e2e")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        folder = item.path.parent.name
        item.add_marker(pytest.mark.xdist_group(folder if folder in FOLDERS else str(item.path)))
