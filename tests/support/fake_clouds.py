"""Token services of Amazon, Google and Azure: valid responses, and refusals with the texts of the real ones.
Each checks what a real one would check.
"""

import base64
import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from urllib.parse import parse_qs

import jwt
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from registries.logins.cloud_keys import AwsKeys
from tests.support.fake_registry import Behaviour, Reply, Seen

ECR_PASSWORD = "ecr-password-of-12-hours"
ACCESS_TOKEN = "ya29.access-token-of-an-hour"
ENTRA_TOKEN = "entra-token"
Clock = Callable[[], datetime]


def aws_error(status: int, kind: str, message: str, **headers: str) -> Reply:
    body = json.dumps({"__type": kind, "message": message}).encode()
    return Reply(status, tuple(headers.items()), body)


def ecr(
    keys: AwsKeys,
    *,
    now: Clock,
    region: str = "eu-west-1",
    password: Callable[[], str] = lambda: ECR_PASSWORD,
) -> Behaviour:
    """Takes requests that botocore would have signed the same."""

    def answer(seen: Seen) -> Reply:
        expected = _botocore_authorization(keys, seen, region)
        if seen.authorization is None or not seen.authorization.startswith("AWS4-HMAC-SHA256 Credential="):
            return aws_error(400, "MissingAuthenticationTokenException", "Missing Authentication Token")
        if seen.authorization.split("=")[1].split("/")[0] != keys.access_key_id:
            return aws_error(
                400, "UnrecognizedClientException", "The security token included in the request is invalid."
            )
        if seen.authorization != expected:
            return aws_error(
                403,
                "InvalidSignatureException",
                "The request signature we calculated does not match the signature you provided.",
            )
        token = base64.b64encode(f"AWS:{password()}".encode()).decode()
        expires = (now() + timedelta(hours=12)).timestamp()
        data = [{"authorizationToken": token, "expiresAt": expires, "proxyEndpoint": "https://x"}]
        return Reply(200, body=json.dumps({"authorizationData": data}).encode())

    return answer


def _botocore_authorization(keys: AwsKeys, seen: Seen, region: str) -> str:
    signed = ("content-type", "host", "x-amz-target")
    request = AWSRequest(
        method="POST",
        url=f"http://{seen.headers['host']}{seen.target}",
        data=seen.body,
        headers={name: seen.headers[name] for name in signed},
    )
    token = None if keys.session_token is None else keys.session_token.reveal()
    signer = SigV4Auth(Credentials(keys.access_key_id, keys.secret_access_key.reveal(), token), "ecr", region)
    request.context["timestamp"] = seen.headers["x-amz-date"]
    request.headers["X-Amz-Date"] = seen.headers["x-amz-date"]
    if token:
        request.headers["X-Amz-Security-Token"] = token
    canonical = signer.canonical_request(request)
    names = signer.signed_headers(signer.headers_to_sign(request))
    signature = signer.signature(signer.string_to_sign(request, canonical), request)
    return (
        f"AWS4-HMAC-SHA256 Credential={signer.scope(request)}, SignedHeaders={names}, Signature={signature}"
    )


def google(public_key: RSAPublicKey, email: str, *, now: Clock, audience: str) -> Behaviour:
    """Takes assertions that the account's key has signed."""

    def answer(seen: Seen) -> Reply:
        form = form_of(seen)
        if form.get("grant_type") != "urn:ietf:params:oauth:grant-type:jwt-bearer":
            return oauth_error(400, "unsupported_grant_type", "Invalid grant_type")
        try:
            claims = jwt.decode(
                form["assertion"],
                public_key,
                algorithms=["RS256"],
                audience=audience,
                options={"verify_exp": False, "verify_iat": False},
            )
        except jwt.PyJWTError:
            return oauth_error(400, "invalid_grant", "Invalid JWT Signature.")
        if abs(claims["iat"] - now().timestamp()) > 300 or claims["exp"] - claims["iat"] > 3600:
            return oauth_error(
                400,
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe. "
                "Check your iat and exp values in the JWT claim.",
            )
        if claims["iss"] != email:
            return oauth_error(400, "invalid_grant", "Invalid grant: account not found")
        return Reply(
            200,
            body=json.dumps(
                {"access_token": ACCESS_TOKEN, "expires_in": 3599, "token_type": "Bearer"}
            ).encode(),
        )

    return answer


def oauth_error(status: int, error: str, description: str) -> Reply:
    return Reply(status, body=json.dumps({"error": error, "error_description": description}).encode())


def entra_error(code: int, description: str, error: str = "invalid_client", status: int = 401) -> Reply:
    body = {
        "error": error,
        "error_description": f"AADSTS{code}: {description} Trace ID: 1 Correlation ID: 2",
        "error_codes": [code],
        "timestamp": "2026-01-01 00:00:00Z",
    }
    return Reply(status, body=json.dumps(body).encode())


def azure(tenant: str, client_id: str, secret: str, *, now: Clock) -> Behaviour:
    """Entra's login and a registry's exchange on one server."""

    def answer(seen: Seen) -> Reply:
        form = form_of(seen)
        if seen.path == "/oauth2/exchange":
            known = form.get("access_token") == ENTRA_TOKEN and form.get("tenant") == tenant
            if not known or form.get("service") != seen.headers["host"]:
                return Reply(
                    401, body=b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}'
                )
            return Reply(200, body=json.dumps({"refresh_token": refresh_token(now())}).encode())
        if seen.path != f"/{tenant}/oauth2/v2.0/token":
            return entra_error(90002, "Tenant not found.", "invalid_request", 400)
        if form.get("client_id") != client_id:
            return entra_error(700016, "Application was not found.", "unauthorized_client", 400)
        if form.get("client_secret") != secret:
            return entra_error(7000215, "Invalid client secret provided.")
        return Reply(200, body=json.dumps({"access_token": ENTRA_TOKEN, "expires_in": 3599}).encode())

    return answer


def refresh_token(at: datetime) -> str:
    return jwt.encode({"exp": int((at + timedelta(hours=3)).timestamp())}, "k" * 32, "HS256")


def form_of(seen: Seen) -> Mapping[str, str]:
    return {name: values[0] for name, values in parse_qs(seen.body.decode()).items()}
