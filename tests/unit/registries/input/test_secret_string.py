"""The format of a secret."""

import pytest
from marshmallow import ValidationError

from chassis.secret import Secret
from registries.input.new_secret import SecretString


@pytest.mark.parametrize("text", ["", "two\nlines", "a\0b", "half \ud800 pair", "x" * 64 * 1024 + "x"])
def test_an_invalid_secret_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(ValidationError) as refused:
        SecretString().deserialize(text)
    assert not text or text not in str(refused.value)


def test_any_other_text_is_a_secret() -> None:
    assert SecretString().deserialize("pä$$ 🔑") == Secret("pä$$ 🔑")
