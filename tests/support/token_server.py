"""A token server for distribution's token authentication: it accepts Basic and returns a JWT signed RS256.

The registry trusts the certificate that comes with every token (`x5c`); its file is the registry's
`rootcertbundle`.
"""

import base64
import json
from collections.abc import Mapping
from datetime import timedelta

import jwt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from chassis.runtime.clock import now
from tests.support.fake_registry import Behaviour, Reply, Seen, basic_of

SERVICE = "registry.tests"
ISSUER = "token-server.tests"


def signing_tokens(
    username: str,
    password: str,
    *,
    key: RSAPrivateKey,
    certificate: x509.Certificate,
    anybody: bool = False,
    grants: Mapping[str, set[str]] | None = None,
) -> Behaviour:
    """Gives tokens for `SERVICE` to one login, or to `anybody`, for what of the asked scope is in `grants`
    (actions by repository).
    """
    der = base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()

    def answer(seen: Seen) -> Reply:
        if not anybody and seen.authorization != basic_of(username, password):
            return Reply(401)
        moment = now()
        claims = {
            "iss": ISSUER,
            "sub": username,
            "aud": SERVICE,
            "iat": moment,
            "nbf": moment - timedelta(seconds=5),
            "exp": moment + timedelta(seconds=60),
            "jti": "1",
            "access": _granted([value for name, value in seen.query if name == "scope"], grants or {}),
        }
        token = jwt.encode(claims, key, algorithm="RS256", headers={"x5c": [der]})
        return Reply(200, body=json.dumps({"token": token, "expires_in": 60}).encode())

    return answer


def _granted(scopes: list[str], grants: Mapping[str, set[str]]) -> list[dict[str, object]]:
    access: list[dict[str, object]] = []
    for scope in scopes:
        kind, repository, actions = scope.split(":")
        granted = sorted(grants.get(repository, set()) & set(actions.split(",")))
        if granted:
            access.append({"type": kind, "name": repository, "actions": granted})
    return access
