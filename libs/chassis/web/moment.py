"""The field for times in bodies and queries."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from marshmallow import fields

from chassis.runtime.clock import in_utc


class Moment(fields.AwareDateTime):  # noqa: TID251 this is the class that the rule points to
    """A time with a time zone, RFC 3339, converted to UTC. A time outside the calendar is invalid."""

    def _deserialize(
        self, value: Any, attr: str | None, data: Mapping[str, Any] | None, **kwargs: Any
    ) -> datetime:
        moment = super()._deserialize(value, attr, data, **kwargs)
        try:
            return in_utc(moment)
        except ValueError:
            raise self.make_error("invalid", input=value, obj_type=self.OBJ_TYPE) from None
