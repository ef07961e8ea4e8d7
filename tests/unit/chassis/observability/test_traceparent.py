"""The header of W3C Trace Context."""

import pytest

from chassis.observability.tracing import trace_id_of, valid_traceparent

GOOD = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_a_valid_traceparent_is_returned_unchanged() -> None:
    assert valid_traceparent(GOOD) == GOOD
    assert trace_id_of(GOOD) == "0af7651916cd43dd8448eb211c80319c"
    assert trace_id_of(None) is None


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "canary",
        GOOD + "-more",
        GOOD.upper(),
        GOOD.replace("00-", "ff-", 1),
        "00-00000000000000000000000000000000-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
        GOOD + "\n",
    ],
)
def test_an_invalid_traceparent_is_ignored(text: str | None) -> None:
    assert valid_traceparent(text) is None
