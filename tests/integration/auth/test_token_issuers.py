"""Authentication at a real API with a JWT of a trusted issuer, whose keys are at a URL."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from flask.testing import FlaskClient

from chassis.settings.environment import Settings
from chassis.web.api_part import join
from operations.migrate.preparation import prepare_keys
from projector.read.bootstrap import query_api

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
ISSUER = "https://platform.example.com"


class _Keys(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key())) | {"kid": "one"}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"keys": [key]}).encode())

    def log_message(self, *_arguments: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def issuer() -> Iterator[HTTPServer]:
    with HTTPServer(("127.0.0.1", 0), _Keys) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def client(
    issuer: HTTPServer, database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FlaskClient]:
    settings = Settings.from_environment(
        {
            "REGCRED_HOME": str(tmp_path_factory.mktemp("home")),
            "REGCRED_DATABASE_URL": database_url,
            "REGCRED_TOKEN_ISSUERS": f"{ISSUER}=http://127.0.0.1:{issuer.server_port}/keys,"
            "https://gone.example.com=http://127.0.0.1:1/keys",
        }
    )
    prepare_keys(settings.key_file)
    part = query_api(settings)
    yield join([part]).test_client()
    part.close()


def bearer(issuer: str = ISSUER) -> dict[str, str]:
    claims = {
        "iss": issuer,
        "aud": "regcred",
        "sub": "deployer",
        "exp": datetime(2100, 1, 1, tzinfo=UTC),
        "scope": "credentials:read",
        "regcred_accounts": ["acme"],
    }
    return {"Authorization": f"Bearer {jwt.encode(claims, KEY, algorithm='RS256', headers={'kid': 'one'})}"}


def test_a_jwt_is_limited_to_its_scopes_and_accounts(client: FlaskClient) -> None:
    answers = {
        path: client.get(f"/v1/accounts/{path}", headers=bearer()).status_code
        for path in ("acme/credentials", "other/credentials", "acme/audit-events")
    }
    assert answers == {"acme/credentials": 200, "other/credentials": 403, "acme/audit-events": 403}


def test_an_unknown_issuer_is_unauthenticated_and_one_without_keys_is_unavailable(
    client: FlaskClient,
) -> None:
    stranger = client.get("/v1/accounts/acme/credentials", headers=bearer("https://stranger.example.com"))
    assert stranger.status_code == 401
    gone = client.get("/v1/accounts/acme/credentials", headers=bearer("https://gone.example.com"))
    assert gone.json is not None
    assert (gone.status_code, gone.json["code"]) == (503, "issuer_unavailable")
    assert gone.headers["Retry-After"]
