"""The options for secrets with several values match the API."""

from typing import Any

from regcred.cli.secret_kinds import KEY_KINDS
from registries.secret_kinds import SECRET_KINDS


def parts(kinds: Any) -> dict[str, list[tuple[str, bool, bool]]]:
    return {kind.id: [(field.name, field.secret, field.user) for field in kind.fields] for kind in kinds}


def test_kinds_with_several_values_match_the_api() -> None:
    several = [kind for kind in SECRET_KINDS if len(kind.fields) > 1 and kind.id != "username_password"]
    assert parts(KEY_KINDS) == parts(several)
