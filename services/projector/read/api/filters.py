"""Filters that compare meaning and not text: every spelling of a registry or image finds the same rows."""

from ipaddress import ip_address
from typing import Any

from marshmallow import ValidationError, fields

from registries.errors import InvalidHost, InvalidReference
from registries.image_filter import canonical_filter
from registries.whole_registry import WholeRegistry


class RegistryHostFilter(fields.String):
    """A registry in any spelling, such as `https://index.docker.io/v1/`. The value is its canonical host."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **named: Any) -> str:
        text = super()._deserialize(value, attr, data, **named)
        try:
            return WholeRegistry.parse(text or "").registry_host
        except InvalidHost as error:
            raise ValidationError(error.detail) from None


class RecordedImageFilter(fields.String):
    """An image or repository in any spelling. The value is canonical."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **named: Any) -> str:
        text = super()._deserialize(value, attr, data, **named)
        try:
            return canonical_filter(text or "")
        except InvalidReference as error:
            raise ValidationError(error.detail) from None


class WorkloadFilter(fields.String):
    """A workload as `kind/name`. The value is both."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **named: Any) -> Any:
        kind, _, name = (super()._deserialize(value, attr, data, **named) or "").partition("/")
        if not kind or not name:
            raise ValidationError("Not kind/name, such as deployment/storefront.")
        return kind, name


class AddressFilter(fields.String):
    """An IP address in any spelling. The value is canonical."""

    def _deserialize(self, value: Any, attr: str | None, data: Any, **named: Any) -> str:
        try:
            return str(ip_address(super()._deserialize(value, attr, data, **named) or ""))
        except ValueError:
            raise ValidationError("Not an IP address.") from None
