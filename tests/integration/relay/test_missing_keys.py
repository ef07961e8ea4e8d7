"""Messages of events whose personal data needs a key that the key file of the relay lacks."""

import json
from functools import partial
from secrets import token_bytes

import psycopg
import pytest

from chassis.database import open_pool
from credentials.relay.event_messages import Messages
from eventlog.broker import OutgoingMessage
from eventlog.storage import read_log
from secretstore.installation import compare_keys, record_keys
from secretstore.keyfile import KEY_BYTES, KeyFile, KeyFileError
from secretstore.personal_keys import open_personal_keys
from tests.support.eventstore_suite import an_event
from tests.support.log import AnyEventStore, fresh_log, lead, relay_of, sequence, stream


def reason(message: OutgoingMessage) -> object:
    return json.loads(message.body)["reason"]


def test_a_message_waits_for_the_newer_key_file_but_not_for_a_key_that_was_never_recorded() -> None:
    k1, k2, pepper = (token_bytes(KEY_BYTES) for _ in range(3))
    older = KeyFile(primary="k1", keys={"k1": k1}, pepper=pepper)
    newer = KeyFile(primary="k2", keys={"k1": k1, "k2": k2}, pepper=pepper)
    with fresh_log() as url, relay_of(url) as relay:
        with psycopg.connect(url, autocommit=True) as owner, open_pool(url, role="none", size=2) as pool:
            record_keys(older, owner)
            AnyEventStore(pool, open_personal_keys(newer)).append(stream("s"), 0, [an_event("e")])
            sequence(relay, lead(relay))
            [event] = read_log(relay, 0, 1, personal=open_personal_keys(older))
            messages = Messages(partial(compare_keys, older))
            messages.begin(relay)
            assert reason(messages.message(relay, event)) == "erased"

            record_keys(newer, owner)
            with pytest.raises(KeyFileError, match="lacks key k2"):
                messages.message(relay, event)
        [event] = read_log(relay, 0, 1, personal=open_personal_keys(newer))
        messages = Messages(partial(compare_keys, newer))
        messages.begin(relay)
        assert reason(messages.message(relay, event)) == "e"
