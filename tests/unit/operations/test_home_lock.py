"""Only the user of an installation starts its database."""

import os
from pathlib import Path

import pytest

from operations.home_lock import HomeOfAnotherUser, home_lock


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file to another user")
def test_root_does_not_use_the_installation_of_another_user(tmp_path: Path) -> None:
    """The server would give its files to the user of the wheel, and the installation could not start again."""
    with home_lock(tmp_path):
        pass
    os.chown(tmp_path / "lock", 1000, 1000)
    with pytest.raises(HomeOfAnotherUser, match="user with id 1000"), home_lock(tmp_path):
        pass
