"""The field of a request that allows pulling images without a credential."""

from collections.abc import Mapping
from typing import Any

from marshmallow import fields

from credentials.domain.issuance import Anonymous

_NOT_ELIGIBLE = "not_eligible"
_BOOLEAN = fields.Boolean(error_messages={"invalid": "true, false or not_eligible is expected"})


class AllowAnonymous(fields.Field[Anonymous]):
    """`true`, `false` or `not_eligible`. The default is `false`."""

    def __init__(self) -> None:
        super().__init__(
            load_default=False,
            metadata={
                "anyOf": [{"type": "boolean"}, {"type": "string", "enum": [_NOT_ELIGIBLE]}],
                "description": "Which images are pulled without a credential, instead of being refused. "
                "`true`: those of registries for which the account has no credential. `not_eligible`: also "
                "those for which the project may use none, because of prefixes, restrictions, scope or "
                "expiry. Both are recorded as `secret.refused` with `anonymous`.",
            },
        )

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **_more: Any
    ) -> Anonymous:
        return "not_eligible" if value == _NOT_ELIGIBLE else _BOOLEAN.deserialize(value, attr, data)
