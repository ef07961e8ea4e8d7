"""A list in a request whose length is limited."""

from typing import Any

from marshmallow import ValidationError, fields, validate

from chassis.invalid_input import FieldProblem


class BoundedList(fields.List[Any]):
    """A list of `least` to `most` items.

    A longer one is refused with `code`, before its items are checked.
    """

    def __init__(
        self,
        item: fields.Field[Any],
        *,
        most: int,
        least: int | None = None,
        code: str = "too_many",
        **options: Any,
    ) -> None:
        super().__init__(item, validate=validate.Length(min=least, max=most), **options)
        self.most = most
        self._code = code

    def _deserialize(self, value: Any, attr: str | None, data: Any, **options: Any) -> list[Any]:
        if isinstance(value, list) and len(value) > self.most:
            problem = FieldProblem("", self._code, f"at most {self.most} items")
            raise ValidationError([problem])  # `chassis.web.problems` reads it
        return super()._deserialize(value, attr, data, **options)
