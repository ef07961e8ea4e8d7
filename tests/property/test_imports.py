"""Any import gets a response or a problem without secrets, and leaves no orphaned secret."""

import base64
import io
import json
import logging
from contextlib import redirect_stdout
from hashlib import sha256
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from chassis.authentication.tokens import Principal, TokenScope
from chassis.ids import new_id
from chassis.secret import Secret
from chassis.web.application import create_app
from credentials.api import imports
from credentials.application.credentials import Credentials
from credentials.application.imports import Importer
from tests.support.memory_credentials import MemoryCredentialStore
from tests.support.memory_secretstore import MemorySecretStore

CANARY = "CANARY-9f8e7d"
WRITER = Principal(
    id="t", name="t", scopes=frozenset({TokenScope.CREDENTIALS_WRITE}), accounts=None, projects=None
)


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


SECRETS = st.sampled_from(
    [
        CANARY,
        f"octo:{CANARY}",
        b64(f"octo:{CANARY}"),
        b64(f"{CANARY}:{CANARY}"),
        b64(f"_json_key:{CANARY}"),
        b64(CANARY),
    ]
) | st.text(max_size=10)
KEYS = st.sampled_from(
    ["ghcr.io", "https://index.docker.io/v1/", "docker.io", "reg:5000/a", "reg.io/a", "gcr.io", f"https://x:{CANARY}@r.io/",
     f"reg.io/{CANARY}", f"reg.io:{CANARY}", "1.2.3.4", "", "*.azurecr.io"]
)  # fmt: skip
FIELDS = st.sampled_from(["auth", "username", "password", "identitytoken", "registrytoken", "email", CANARY])
AUTHS = st.dictionaries(
    KEYS, st.dictionaries(FIELDS, SECRETS | st.none() | st.integers()) | SECRETS, max_size=6
)
CONFIGS = st.fixed_dictionaries(
    {"auths": AUTHS | SECRETS},
    optional={
        "credsStore": SECRETS,
        "credHelpers": st.dictionaries(KEYS, SECRETS, max_size=2),
        CANARY: SECRETS,
    },
)
BODIES = st.fixed_dictionaries(
    {
        "docker_config": CONFIGS
        | CONFIGS.map(json.dumps)
        | CONFIGS.map(lambda it: b64(json.dumps(it)))
        | SECRETS
    },
    optional={
        "name_prefix": SECRETS,
        "dry_run": st.booleans() | SECRETS,
        "scope": st.dictionaries(st.sampled_from(["pull", "push"]), st.booleans() | SECRETS) | SECRETS,
        "restrictions": SECRETS,
    },
)


@settings(deadline=None)
@given(BODIES, st.sampled_from([None, "key"]))
def test_an_import_reveals_no_secret_and_leaves_no_orphan(body: dict[str, Any], key: str | None) -> None:
    store = MemoryCredentialStore()
    secrets = MemorySecretStore()

    def fingerprint(secret: Secret) -> str:
        return sha256(secret.reveal().encode("utf-8", "replace")).hexdigest()[:32]

    credentials = Credentials(store, secrets, secret_fingerprint=fingerprint, new_id=new_id)
    importing = Importer(credentials, store)
    app = create_app(
        [imports.blueprint(importing, request_fingerprint=lambda content: sha256(content).digest())],
        authenticate=lambda _token: WRITER,
        checks={},
    )
    headers = {"Authorization": "Bearer t", **({"Idempotency-Key": key} if key else {})}
    said = io.StringIO()
    logging.disable(logging.NOTSET)
    with redirect_stdout(said):
        client = app.test_client()
        answers = [client.post("/v1/accounts/acme/imports", json=body, headers=headers) for _ in range(2)]
    for answer in answers:
        assert answer.status_code in {200, 422}, answer.text
        for text in (answer.text, str(answer.headers), said.getvalue()):
            assert CANARY.lower() not in text.lower()
            assert b64(CANARY)[:12] not in text
    if answers[0].status_code == 200:
        first, again = ([item["status"] for item in answer.json["items"]] for answer in answers)  # type: ignore[index]
        stored = [path.credential_id for path in secrets.paths()]
        assert len(stored) == (0 if body.get("dry_run") else first.count("created"))
        assert all(store.load(credential_id) for credential_id in stored)
        assert "failed" not in first
        if key is None and not body.get("dry_run"):
            assert "created" not in again
        else:
            assert first == again
