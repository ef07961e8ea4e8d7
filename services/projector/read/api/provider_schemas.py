"""The response of `GET /v1/providers`."""

from marshmallow import Schema, fields


class LocationSchema(Schema):
    """A location of a provider with one host for each."""

    id = fields.String()
    name = fields.String()
    host = fields.String()


class SecretFieldSchema(Schema):
    """A field of a secret, for forms."""

    name = fields.String()
    label = fields.String()
    help = fields.String()
    secret = fields.Boolean()
    required = fields.Boolean()
    document = fields.Boolean(metadata={"description": "Whether the value is a JSON document."})
    values = fields.List(
        fields.String(), metadata={"description": "The allowed values, the default first. Empty: any."}
    )


class SecretFormSchema(Schema):
    """The fields of one kind of secret."""

    kind = fields.String()
    name = fields.String()
    help = fields.String()
    inputs = fields.List(fields.Nested(SecretFieldSchema), data_key="fields")


class UsernameRuleSchema(Schema):
    rule = fields.String()
    label = fields.String()
    help = fields.String()
    values = fields.List(
        fields.String(), metadata={"description": "The allowed usernames, the default first. Empty: any."}
    )


class ProviderSchema(Schema):
    """A provider of registries, and what its credentials need."""

    id = fields.String()
    name = fields.String()
    hosts = fields.List(fields.String())
    aliases = fields.List(fields.String())
    locations = fields.List(fields.Nested(LocationSchema))
    registry_url = fields.String()
    secret_kinds = fields.List(fields.String())
    secrets = fields.List(fields.Nested(SecretFormSchema))
    username = fields.Nested(UsernameRuleSchema)
    image_path = fields.String()
    permission = fields.String()
    expiry = fields.String()
    help = fields.String()
    quirks = fields.List(fields.String())
    docs_url = fields.String(allow_none=True)


class ProviderPage(Schema):
    items = fields.List(fields.Nested(ProviderSchema))
    next_cursor = fields.String(allow_none=True)
