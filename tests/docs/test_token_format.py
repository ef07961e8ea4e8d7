"""Secret scanners find leaked tokens with the regular expression and the check of docs/http.md."""

import re
from collections.abc import Callable
from functools import cache
from secrets import token_bytes

import pytest

from chassis.authentication.tokens import compose
from tests.support.servers import ROOT


@cache
def documented() -> tuple[re.Pattern[str], Callable[[str], bool]]:
    page = (ROOT / "docs" / "http.md").read_text(encoding="utf-8")
    [section] = re.findall(r"^### Find leaked tokens\n(.*?)^## ", page, re.MULTILINE | re.DOTALL)
    [expression] = re.findall(r"^```regex\n(.+)\n```$", section, re.MULTILINE)
    [program] = re.findall(r"^```python\n(.+?)^```$", section, re.MULTILINE | re.DOTALL)
    names: dict[str, Callable[[str], bool]] = {}
    exec(program, names)  # noqa: S102 the example of our own page
    return re.compile(expression), names["is_service_token"]


@pytest.mark.parametrize(
    "around", ["{}", "Authorization: Bearer {}\r\n", 'token="{}";', "https://x/?t={}&u=1"]
)
def test_a_leaked_token_is_found(around: str) -> None:
    expression, is_service_token = documented()
    token_id, token = compose(token_bytes(38))
    [found] = expression.findall(around.format(token.reveal()))
    assert found == token.reveal()
    assert is_service_token(found)
    assert found[5:14] == token_id


def test_the_checksum_refuses_every_other_text_of_that_form() -> None:
    expression, is_service_token = documented()
    token = compose(token_bytes(38))[1].reveal()
    for position in range(5, len(token)):
        if token[position] != "_":
            changed = token[:position] + ("0" if token[position] != "0" else "1") + token[position + 1 :]
            assert expression.fullmatch(changed)
            assert not is_service_token(changed)
