"""SQL of appends, as text, for a compromised service that writes what it wants."""

from uuid import UUID

from tests.support.eventstore_suite import an_id

OWN, OTHER = an_id("credential of acme"), an_id("credential of the victim")


def request(
    stream: UUID,
    kind: str,
    *,
    account: str = "acme",
    version: int = 0,
    data: str = "{}",
    actor: str = "system",
    named: str | None = None,
    key: str = "NULL",
) -> str:
    """An `es.append_request` of one event. `named` is the account that its metadata name."""
    meta = f'{{"account_id": "{named or account}", "actor": {{"type": "{actor}"}}}}'
    return (
        f"ROW('{stream}', '{account}', {version}, ARRAY[ROW(gen_random_uuid(), '{kind}', 1, '{data}', '{meta}')"
        f"::es.new_event], {key}, 'f', '{{}}')::es.append_request"
    )


def credential_data(credential: UUID) -> str:
    return f'{{"credential_id": "{credential}", "secret_version": 1, "secret": {{"version": 1}}}}'
