"""Tests that share a server run in one worker of `make test`."""

from tests.conftest import TOGETHER, group_of
from tests.support.servers import ROOT


def test_every_group_has_tests() -> None:
    for start in TOGETHER:
        assert list(ROOT.glob(f"{start}*")), start


def test_a_system_in_one_mode_is_used_by_one_worker() -> None:
    one, full = (group_of(f"tests/e2e/test_cli.py::test_a[{mode}]") for mode in ("one-machine", "full"))
    assert one != full
    assert one == group_of("tests/e2e/test_faults.py::test_b[projector-one-machine]")
    assert full == group_of("tests/e2e/test_faults.py::test_c[full-sealed]")
    assert group_of("tests/unit/a/test_d.py::test_e[full]") == "tests/unit/a/test_d.py"
