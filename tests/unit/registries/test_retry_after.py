"""`Retry-After` in both of its forms."""

import pytest

from registries.dialer.response import MAX_SECONDS, HttpResponse, retry_after

DATE = "Wed, 21 Oct 2026 07:28:00 GMT"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        (" 120 ", 120),
        ("9" * 40, MAX_SECONDS),
        ("Wed, 21 Oct 2026 07:33:00 GMT", 300),
        ("Wed, 21 Oct 2026 07:20:00 GMT", 0),  # past
        ("Wed, 21 Oct 2099 07:20:00 GMT", MAX_SECONDS),
        ("Wednesday, 21-Oct-26 07:33:00 GMT", 300),
        ("soon", None),
        ("-5", None),
        ("٣", None),
        ("", None),
        ("Wed, 99 Oct 2026 99:99:99 GMT", None),
    ],
)
def test_seconds_and_dates_are_read(text: str, seconds: int | None) -> None:
    answer = HttpResponse(status=429, headers=(("date", DATE), ("retry-after", text)), body=b"")
    assert retry_after(answer) == seconds


def test_a_date_is_ignored_without_a_date_header() -> None:
    assert retry_after(HttpResponse(status=429, headers=(("retry-after", DATE),), body=b"")) is None


def test_without_the_header_there_is_no_value() -> None:
    assert retry_after(HttpResponse(status=429, headers=(), body=b"")) is None
