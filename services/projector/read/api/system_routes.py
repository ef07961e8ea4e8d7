"""`GET /v1/system`: the lag of the consumers and their dead letters, for operators without a shell."""

from importlib.metadata import version

from flask import Response
from marshmallow import Schema, fields

from chassis.authentication.tokens import TokenScope
from chassis.database import Pool
from chassis.web.authentication import requires
from chassis.web.blueprint import Blueprint
from chassis.web.described import QUERY, describes
from chassis.web.responses import json_response
from projector.read.api.query_connection import query_connection
from projector.read.operations import operations


class LogSchema(Schema):
    position = fields.Integer(metadata={"description": "Position of the newest event that has one."})
    published_position = fields.Integer(
        allow_none=True,
        metadata={"description": "Last position that RabbitMQ has confirmed; null without RabbitMQ."},
    )
    waiting_seconds = fields.Float(
        metadata={"description": "Age of the oldest event without a position; 0 where there is none."}
    )


class ConsumerSchema(Schema):
    """A consumer of the log. `projector:building` builds read models that are not live yet."""

    name = fields.String()
    position = fields.Integer(
        metadata={"description": "Up to here every event is handled, or is a dead letter."}
    )
    lag_events = fields.Integer()
    lag_seconds = fields.Float(metadata={"description": "Age of the oldest event that is not handled yet."})
    retries = fields.Integer(metadata={"description": "Events that will be retried."})
    dead_letters = fields.Integer(metadata={"description": "Events that the consumer could not handle."})


class DeadLetterSchema(Schema):
    consumer = fields.String()
    position = fields.Integer()
    type = fields.String(allow_none=True)
    account_id = fields.String(allow_none=True)
    attempts = fields.Integer()
    reason = fields.String()
    since = fields.DateTime()


class SystemSchema(Schema):
    version = fields.String(metadata={"description": "Version of the program."})
    log = fields.Nested(LogSchema)
    consumers = fields.List(fields.Nested(ConsumerSchema))
    dead_letters = fields.List(
        fields.Nested(DeadLetterSchema), metadata={"description": "The oldest ones, 20 at most."}
    )
    unreadable_secrets = fields.Integer(
        metadata={"description": "Credentials whose stored secret could not be read when it was verified."}
    )


def blueprint(pool: Pool) -> Blueprint:
    """The route of the installation's state. It requires the scope admin, as dead letters name accounts."""
    routes = Blueprint("system", __name__, description="The state of the installation.")

    @routes.route("/v1/system")
    @routes.response(200, SystemSchema)
    @requires(TokenScope.ADMIN)
    @describes(QUERY)
    def show_system() -> Response:
        """Show the position of each consumer of the log, and the events that it could not handle."""
        with query_connection(pool) as connection:
            found = operations(connection)
        log = {
            "position": found.log["log_position"],
            "published_position": found.log["published_position"] or None,  # 0 without RabbitMQ
            "waiting_seconds": found.log["horizon_lag_seconds"],
        }
        return json_response(
            {
                "version": version("regcred"),
                "log": log,
                "consumers": found.consumers,
                "dead_letters": found.dead_letters,
                "unreadable_secrets": found.unreadable_secrets,
            }
        )

    return routes
