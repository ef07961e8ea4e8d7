"""A list in a request whose length is limited."""

from typing import Any

from marshmallow import ValidationError, fields, validate


class BoundedList(fields.List[Any]):
    """A list of `least` to `most` items. A longer one is refused before its items are checked."""

    def __init__(
        self, item: fields.Field[Any], *, most: int, least: int | None = None, **options: Any
    ) -> None:
        super().__init__(item, validate=validate.Length(min=least, max=most), **options)
        self._most = most

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> list[Any]:
        if isinstance(value, list) and len(value) > self._most:
            raise ValidationError(f"Longer than maximum length {self._most}.")
        return super()._deserialize(value, attr, data, **options)
