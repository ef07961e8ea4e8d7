"""`GET /v1/system`: how far the consumers are and what they could not handle, without a shell there."""

from importlib.metadata import version

from flask import Response
from marshmallow import Schema, fields

from projector.api.reading import reading
from projector.operations import operations
from shared.auth.tokens import TokenScope
from shared.eventstore.postgres import Pool
from shared.web.blueprint import Blueprint
from shared.web.door import requires
from shared.web.responses import json_response


class LogSchema(Schema):
    position = fields.Integer(metadata={"description": "Of the newest event that has one."})
    published_position = fields.Integer(
        allow_none=True, metadata={"description": "Up to which RabbitMQ has them; null where it has none."}
    )
    waiting_seconds = fields.Float(
        metadata={"description": "Age of the oldest event without a position; 0 where there is none."}
    )


class ConsumerSchema(Schema):
    """Somebody who follows the log. `projector:building` makes read models that nobody sees yet."""

    name = fields.String()
    position = fields.Integer(metadata={"description": "Up to which all is done, or set aside."})
    lag_events = fields.Integer()
    lag_seconds = fields.Float(metadata={"description": "Age of the oldest event that is still to be done."})
    retries = fields.Integer(metadata={"description": "Events that will be tried again."})
    dead_letters = fields.Integer(metadata={"description": "Events that wait for somebody."})


class DeadLetterSchema(Schema):
    consumer = fields.String()
    position = fields.Integer()
    type = fields.String(allow_none=True)
    account_id = fields.String(allow_none=True)
    attempts = fields.Integer()
    reason = fields.String()
    since = fields.DateTime()


class SystemSchema(Schema):
    version = fields.String(metadata={"description": "Of the program that answers."})
    log = fields.Nested(LogSchema)
    consumers = fields.List(fields.Nested(ConsumerSchema))
    dead_letters = fields.List(
        fields.Nested(DeadLetterSchema), metadata={"description": "The oldest ones, 20 at most."}
    )


def blueprint(pool: Pool) -> Blueprint:
    """For administrators: it tells of every account."""
    routes = Blueprint("system", __name__, description="How the installation itself is.")

    @routes.route("/v1/system")
    @routes.response(200, SystemSchema)
    @requires(TokenScope.ADMIN)
    def show_system() -> Response:
        """Tell how far each consumer of the log is, and which events they could not handle."""
        with reading(pool) as connection:
            found = operations(connection)
        log = {
            "position": found.log["log_position"],
            "published_position": found.log["published_position"] or None,  # 0: there is no broker
            "waiting_seconds": found.log["horizon_lag_seconds"],
        }
        return json_response(
            {
                "version": version("regcred"),
                "log": log,
                "consumers": found.consumers,
                "dead_letters": found.dead_letters,
            }
        )

    return routes
