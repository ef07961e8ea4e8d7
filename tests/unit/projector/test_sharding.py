"""Accounts are parted so that every process has about the same to do."""

from hypothesis import given
from hypothesis import strategies as st

from projector.sharding import parted


@given(weights=st.dictionaries(st.text(max_size=3), st.integers(1, 1000)), number=st.integers(1, 9))
def test_every_account_is_in_one_part_and_no_part_is_much_heavier(
    weights: dict[str, int], number: int
) -> None:
    parts = parted(weights, number)
    assert len(parts) == min(number, len(weights))
    assert sorted(account for part in parts for account in part) == sorted(weights)
    sums = [sum(weights[account] for account in part) for part in parts]
    assert all(0 < one <= sum(sums) / number + max(weights.values()) for one in sums)


def test_a_heavy_account_has_a_process_of_its_own() -> None:
    assert parted({"a": 1, "b": 2, "c": 9, "d": 3}, 2) == [["c"], ["d", "b", "a"]]
    assert parted({"a": 1}, 2) == [["a"]]
    assert parted({}, 2) == []
