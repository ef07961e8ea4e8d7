"""What each role may reach, and how it may try to reach what belongs to another. Written by hand.

The keys are all rights that a migration grants to a role. An empty list means that the right reaches nothing of another
service, or only reads what the role needs: `docs/architecture.md` says what. Each statement must be refused, or change and
return nothing.
"""

from contracts.streams import verification_stream
from tests.integration.roles.calls import OTHER, OWN, credential_data, request
from tests.support.eventstore_suite import an_id

NOTHING: list[str] = []
NEW = an_id("a new stream")
STREAM = verification_stream(OWN).id
TOKEN = '{"token_id": "t"}'


def _leases(*foreign: str) -> dict[str, list[str]]:
    return {
        "EXECUTE es.lead": [f"SELECT es.lead('{name}', '1 minute')" for name in foreign],
        "EXECUTE es.fence": [f"SELECT es.fence('{name}', 1)" for name in foreign],
        "EXECUTE es.renew": [f"SELECT es.renew('{name}', 1, '1 minute')" for name in foreign],
        "EXECUTE es.has_leader": NOTHING,
        "EXECUTE es.lasts": NOTHING,
        "EXECUTE es.log_end": NOTHING,
        "SELECT es.leases": [f"SELECT FROM es.leases WHERE name = '{name}'" for name in foreign],
        "INSERT es.leases": [
            f"INSERT INTO es.leases VALUES ('{name}-new', 9, 9, now())"  # noqa: S608
            for name in (*foreign, "another")
        ],
        "UPDATE es.leases": [
            *(f"UPDATE es.leases SET epoch = 9 WHERE name = '{name}'" for name in foreign),  # noqa: S608
            "UPDATE es.leases SET name = 'another'",
        ],
    }


def _consumer(table: str, privileges: str, *foreign: str) -> dict[str, list[str]]:
    columns = {
        "es.checkpoints": ("consumer, position", "1"),
        "es.dead_letters": ("consumer, position, stream_id, reason", f"1, '{OWN}', 'x'"),
        "es.retries": (
            "consumer, position, stream_id, attempts, due_at, reason",
            f"1, '{OWN}', 1, now(), 'x'",
        ),
    }[table]
    statements = {
        "SELECT": "SELECT FROM {table} WHERE consumer = '{name}'",
        "INSERT": "INSERT INTO {table} ({columns}) VALUES ('{name}', {values}) ON CONFLICT (consumer{key})"
        " DO UPDATE SET {change}",
        "UPDATE": "UPDATE {table} SET {change} WHERE consumer = '{name}'",
        "DELETE": "DELETE FROM {table} WHERE consumer = '{name}'",
    }
    change = {"es.checkpoints": "position = 2"}.get(table, "attempts = 9")
    key = "" if table == "es.checkpoints" else ", position"
    return {
        f"{privilege} {table}": [
            statements[privilege].format(
                table=table, name=name, columns=columns[0], values=columns[1], change=change, key=key
            )
            for name in foreign
        ]
        for privilege in privileges.split()
    }


RELEASED = '{{"release_id": "{}", "credential_id": "{}"}}'
_INSTALLATION = {"SELECT installation.identity": NOTHING, "SELECT installation.key_checks": NOTHING}
_LOG = {"SELECT es.streams": NOTHING, "SELECT es.events": NOTHING, "SELECT es.log": NOTHING}
_METRICS = {"EXECUTE es.log_metrics": NOTHING, "EXECUTE es.consumer_metrics": NOTHING}
_KEYS = {"SELECT personal.keys": NOTHING}
_KEY = {"EXECUTE personal.key": NOTHING}  # `test_a_key_of_one_role_is_used_by_no_other`

_API = {  # of each service with an API: refusals, token rows, limits
    "SELECT auth.tokens": NOTHING,
    "EXECUTE auth.token_version": NOTHING,
    "EXECUTE auth.has_account": NOTHING,
    "EXECUTE auth.append_denied": [
        f"SELECT auth.append_denied({value})"
        for value in (
            request(NEW, "account.erased", data=f'{{"refusal_id": "{NEW}"}}'),
            request(NEW, "access.denied", data=f'{{"refusal_id": "{OWN}"}}'),
            request(OWN, "access.denied", data=f'{{"refusal_id": "{OWN}"}}', version=1),
            request(NEW, "access.denied", data=f'{{"refusal_id": "{NEW}"}}', named="victim"),
            request(NEW, "access.denied", data=f'{{"refusal_id": "{NEW}"}}', account="unknown"),
            request(NEW, "access.denied", data=f'{{"refusal_id": "{NEW}"}}', key="'a key of a caller'"),
        )
    ],
    "EXECUTE credentials.take": NOTHING,
}

RIGHTS: dict[str, dict[str, list[str]]] = {
    "regcred_credentials": {
        **_INSTALLATION,
        **_LOG,
        **_METRICS,
        **_KEYS,
        **_KEY,
        "EXECUTE installation.record_keys": NOTHING,
        "EXECUTE installation.record_vault": NOTHING,
        "EXECUTE es.repeated": NOTHING,
        "EXECUTE es.replay": NOTHING,
        "EXECUTE es.has_lower_ids": NOTHING,
        "EXECUTE es.has_leader": NOTHING,
        "EXECUTE credentials.append": [
            f"SELECT credentials.append({request(NEW, 'verification.requested', data=credential_data(OWN))}, NULL)",
            f"SELECT credentials.append({request(NEW, 'account.erased', data=credential_data(NEW))}, NULL)",
            "SELECT credentials.append("
            + request(NEW, "verification.requested", data=credential_data(NEW), named="victim")
            + ", NULL)",
        ],
        "EXECUTE credentials.issue": [
            f"SELECT credentials.issue({request(NEW, 'secret.refused')}, '{{}}', '{{}}')",
            f"SELECT credentials.issue({request(NEW, 'account.erased')}, '{{}}', '{{}}')",
            "SELECT credentials.issue("
            + request(NEW, "secret.issued", data=f'{{"issuance_id": "{NEW}", "credential_id": "{OTHER}"}}')
            + ", '{}', '{}')",
            "SELECT credentials.issue("
            + request(NEW, "secret.issued", data=f'{{"issuance_id": "{NEW}", "credential_id": "{OTHER}"}}')
            + f", '{{{OTHER}}}', '{{1}}')",
            f"SELECT credentials.issue({request(NEW, 'account.erased')}, '{{}}', '{{}}', 'job', 'a')",
            "SELECT credentials.issue("
            + request(NEW, "secret.issued", data=f'{{"issuance_id": "{NEW}", "credential_id": "{OTHER}"}}')
            + f", '{{{OTHER}}}', '{{1}}', 'job', 'a')",
        ],
        "EXECUTE credentials.remove": [
            f"SELECT credentials.remove({request(NEW, 'account.erased', data=credential_data(NEW))}, NULL)",
            "SELECT credentials.remove("
            + request(OTHER, "credential.removed", version=1, data=credential_data(OTHER))
            + ", NULL)",
        ],
        "EXECUTE credentials.release": [
            f"SELECT credentials.release({value})"
            for value in (
                f"{request(NEW, 'workload.released', data=RELEASED.format(NEW, OTHER))}, '{{job}}', '{{a}}'",
                f"{request(NEW, 'workload.released', data=RELEASED.format(OWN, OWN))}, '{{job}}', '{{a}}'",
                f"{request(NEW, 'workload.released', data=RELEASED.format(NEW, OWN))}, '{{}}', '{{}}'",
                f"{request(NEW, 'workload.released', data=RELEASED.format(NEW, OWN))}, '{{job,b}}', '{{a,b}}'",
                f"{request(NEW, 'account.erased', data=RELEASED.format(NEW, OWN))}, '{{job}}', '{{a}}'",
            )
        ],
        "SELECT credentials.current": NOTHING,
        "SELECT credentials.usages": NOTHING,
        "SELECT encrypted.secrets": NOTHING,
        "INSERT encrypted.secrets": NOTHING,
        "UPDATE encrypted.secrets": NOTHING,
        "DELETE encrypted.secrets": NOTHING,
        **_API,
        "UPDATE auth.tokens": [
            f"UPDATE auth.tokens SET {column} = {column}"  # noqa: S608
            for column in ("scopes", "accounts", "projects", "expires_at", "created_by", "version", "mac")
        ],
        "INSERT auth.tokens": [
            f"INSERT INTO auth.tokens (token_id, name, hash, scopes, created_at, created_by{column})"
            f" SELECT 'forged', 'forged', '\\x00', '{{admin}}', now(), 'forged'{value} ON CONFLICT DO NOTHING"
            for column, value in (("", ""), (", mac", ", '\\x00'"))
        ],
        "EXECUTE auth.append": [
            f"SELECT auth.append({value})"
            for value in (
                f"{request(NEW, 'service_token.created', data=TOKEN)}, '{TOKEN}'",
                f"{request(NEW, 'account.erased', data=TOKEN)}, '{TOKEN}'",
                f"{request(OWN, 'service_token.created', data=TOKEN, version=1)}, '{TOKEN}'",
            )
        ],
    },
    "regcred_verifier": {
        **_INSTALLATION,
        **_LOG,
        **_METRICS,
        **_KEYS,
        **_KEY,
        **_leases("relay", "housekeeping", "projector"),
        "EXECUTE es.leads": [
            f"SELECT WHERE es.leads('{name}', 1)" for name in ("relay", "housekeeping", "projector")
        ],
        "EXECUTE es.repeated": NOTHING,
        "SELECT es.interventions": NOTHING,
        "EXECUTE verifier.append": [
            f"SELECT verifier.append({value})"
            for value in (
                request(STREAM, "secret.issued", data=credential_data(OWN)),
                request(STREAM, "account.erased", data=credential_data(OWN)),
                request(STREAM, "verification.failed", data=credential_data(OWN), actor="user"),
                request(STREAM, "verification.failed", data=credential_data(OWN), named="victim"),
                request(STREAM, "verification.failed", data=credential_data(OWN), account="victim"),
                request(STREAM, "verification.failed", data=credential_data(OTHER), account="victim"),
                request(NEW, "verification.failed", data=credential_data(OWN)),
                request(OWN, "verification.failed", data=credential_data(OWN), version=1),
                request(STREAM, "verification.failed", data="{}"),
                request(STREAM, "verification.failed", data=credential_data(OWN), key="'a key of a caller'"),
                f"{request(STREAM, 'verification.failed', data=credential_data(OWN))}, 'relay', 1",
                f"ROW('{STREAM}', 'acme', 0, '{{}}', NULL, NULL, NULL)::es.append_request",
            )
        ],
        **_consumer("es.checkpoints", "SELECT INSERT UPDATE", "housekeeping", "another"),
        **_consumer(
            "es.dead_letters", "SELECT INSERT UPDATE DELETE", "housekeeping", "publishing", "projector:1"
        ),
        **_consumer("es.retries", "SELECT INSERT UPDATE DELETE", "housekeeping", "publishing"),
        "SELECT encrypted.secrets": NOTHING,
        **_API,
        **{
            f"{privilege} verifier.{table}": NOTHING  # no other role reads or writes them
            for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE")
            for table in ("schedule", "postponed", "holds", "account_holds", "login_paces")
        },
    },
    "regcred_relay": {
        **_INSTALLATION,
        **_LOG,
        **_METRICS,
        **_KEYS,
        **_leases("projector", "verifier", "verifier-schedule"),
        "EXECUTE es.tail": NOTHING,
        "EXECUTE es.has_lower_ids": NOTHING,
        "EXECUTE es.sequence": NOTHING,
        "EXECUTE es.published": [
            "SELECT WHERE es.published((SELECT epoch FROM es.leases WHERE name = 'relay'), 1000)"
        ],
        "SELECT es.adoptions": NOTHING,
        "SELECT es.relay": NOTHING,
        "SELECT es.interventions": NOTHING,
        **_consumer("es.checkpoints", "SELECT INSERT UPDATE", "verifier", "another"),
        **_consumer("es.dead_letters", "SELECT INSERT UPDATE DELETE", "verifier", "projector:1"),
        **_consumer("es.retries", "SELECT INSERT UPDATE DELETE", "verifier"),
        "SELECT es.idempotency": ["SELECT response FROM es.idempotency"],
        "DELETE es.idempotency": [
            "DELETE FROM es.idempotency",
            "DELETE FROM es.idempotency WHERE created_at < now()",
        ],
        "SELECT credentials.current": NOTHING,
        **{
            f"{privilege} credentials.unreferenced_secrets": NOTHING  # its own
            for privilege in ("SELECT", "INSERT", "UPDATE", "DELETE")
        },
        "EXECUTE credentials.needs_secret": NOTHING,
        "SELECT encrypted.secrets": ["SELECT ciphertext FROM encrypted.secrets"],
        "UPDATE encrypted.secrets": [
            "UPDATE encrypted.secrets SET ciphertext = NULL, nonce = NULL",
            "UPDATE encrypted.secrets SET ciphertext = 'x'",
        ],
        "DELETE encrypted.secrets": ["DELETE FROM encrypted.secrets"],
    },
    "regcred_projector": {
        **_INSTALLATION,
        **_LOG,
        **_METRICS,
        **_KEYS,
        **_leases("relay", "housekeeping", "verifier", "verifier-schedule"),
        "EXECUTE es.tail": NOTHING,
        "SELECT es.adoptions": NOTHING,
        **_consumer(
            "es.dead_letters", "SELECT INSERT UPDATE DELETE", "verifier", "housekeeping", "projector"
        ),
        "SELECT rm.generations": NOTHING,
        "UPDATE rm.generations": [
            "UPDATE rm.generations SET position = 0",
            "UPDATE rm.generations SET position = 1000",
            "UPDATE rm.generations SET status = 'retired'",
        ],
        "SELECT rm.audit_segments": NOTHING,
        "EXECUTE rm.drop_generation": ["SELECT rm.drop_generation(1)", "SELECT rm.drop_generation(2)"],
        "EXECUTE rm.retract_dead_letters": ["SELECT rm.retract_dead_letters(1, '{1, 2}')"],
        "EXECUTE rm.erase_account": NOTHING,  # changes rows of an account that the log says is erased
    },
    "regcred_query": {
        **_INSTALLATION,
        **_METRICS,
        **_KEY,
        "EXECUTE es.has_leader": NOTHING,
        "SELECT es.log": NOTHING,
        "SELECT es.relay": NOTHING,
        "SELECT es.checkpoints": NOTHING,
        "SELECT es.dead_letters": NOTHING,
        "SELECT es.retries": NOTHING,
        "SELECT rm.generations": NOTHING,
        "SELECT rm.audit_segments": NOTHING,
        "SELECT es.streams": NOTHING,
        **_API,
        "EXECUTE audit.append": [
            f"SELECT audit.append({value})"
            for value in (
                request(NEW, "account.erased", data=f'{{"read_id": "{NEW}"}}'),
                request(NEW, "audit.sealed", data=f'{{"read_id": "{NEW}"}}'),
                request(STREAM, "audit.read", data=f'{{"read_id": "{STREAM}"}}'),
                request(NEW, "audit.read", data=f'{{"read_id": "{OWN}"}}'),
                request(NEW, "audit.read", data=f'{{"read_id": "{NEW}"}}', named="victim"),
                request(NEW, "audit.read", data=f'{{"read_id": "{NEW}"}}', key="'a key of a caller'"),
            )
        ],
    },
}
