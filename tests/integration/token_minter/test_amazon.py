"""ECR passwords from a fake Amazon that checks signatures with AWS's library."""

from dataclasses import replace
from datetime import timedelta

import pytest

from chassis.secret import Secret
from registries.token_minter.minter import Endpoints
from registries.token_service import Minted, NotMinted
from tests.integration.token_minter.clouds import AWS, ECR_HOST, MovedClock, minted_or_not, minter
from tests.support.fake_clouds import ECR_PASSWORD, aws_error, ecr
from tests.support.fake_registry import FakeServer, Raw, Reply, always

CASES = [
    (aws_error(400, "UnrecognizedClientException", "The security token included in the request is invalid."), "bad_credential", True),
    (aws_error(403, "InvalidSignatureException", "The request signature we calculated does not match"), "bad_credential", True),
    (aws_error(403, "InvalidSignatureException", "Signature expired: 20260301T115000Z is now earlier than 20260301T120000Z (20260301T120500Z - 5 min.)"), "unreachable", False),
    (aws_error(403, "InvalidSignatureException", "Signature not yet current: 20260301T121000Z is still later than"), "unreachable", False),
    (aws_error(400, "ExpiredTokenException", "The security token included in the request is expired"), "expired", True),
    (aws_error(400, "com.amazon.coral.service#AccessDeniedException", "User: arn:aws:iam::123456789012:user/x is not authorized to perform: ecr:GetAuthorizationToken on resource: *"), "missing_scope", True),
    (aws_error(400, "ThrottlingException", "Rate exceeded"), "rate_limited", False),
    (Reply(429, (("Retry-After", "7"),)), "rate_limited", False),
    (Reply(500), "unreachable", False),
    (Reply(418), "forbidden", True),
    (Reply(200), "unreachable", False),
    (Reply(200, body=b'{"authorizationData": []}'), "unreachable", False),
    (Reply(200, body=b'{"authorizationData": [{"authorizationToken": "%%", "expiresAt": 1}]}'), "unreachable", False),
    (Reply(200, body=b'{"authorizationData": [{"authorizationToken": "QVdTOng=", "expiresAt": 1e99}]}'), "unreachable", False),
    (Reply(200, body=b'{"authorizationData": [{"authorizationToken": "b3RoZXI6eA==", "expiresAt": 1}]}'), "unreachable", False),
    (Raw((b"SSH-2.0-OpenSSH\r\n",)), "unreachable", False),
]  # fmt: skip


def test_keys_are_exchanged_for_a_password_of_twelve_hours() -> None:
    clock = MovedClock()
    with FakeServer(ecr(AWS, now=clock)) as cloud:
        made = minter(Endpoints(amazon=f"http://{cloud.address}/"), clock, cloud.address)
        minted = made.fresh(AWS, registry_host=ECR_HOST)
    assert minted.login.username == "AWS"
    assert minted.login.password == Secret(ECR_PASSWORD)
    assert minted.expires_at == clock() + timedelta(hours=12)


def test_a_temporary_key_signs_its_session_token() -> None:
    clock, keys = MovedClock(), replace(AWS, session_token=Secret("session"))
    with FakeServer(ecr(keys, now=clock)) as cloud:
        made = minter(Endpoints(amazon=f"http://{cloud.address}/"), clock, cloud.address)
        assert isinstance(minted_or_not(made, keys, ECR_HOST), Minted)
        without = minted_or_not(made, AWS, ECR_HOST)
    assert isinstance(without, NotMinted)
    assert without.code == "bad_credential"


def test_the_response_of_the_public_registry_is_an_object() -> None:
    body = b'{"authorizationData": {"authorizationToken": "QVdTOnB1YmxpYw==", "expiresAt": 1772409600.5}}'
    with FakeServer(always(Reply(200, body=body))) as cloud:
        made = minter(Endpoints(amazon=f"http://{cloud.address}/"), MovedClock(), cloud.address)
        assert made.fresh(AWS, registry_host="public.ecr.aws").login.password == Secret("public")


@pytest.mark.parametrize(("reply", "code", "refused"), CASES)
def test_refusals_of_amazon_have_their_codes(reply: Reply | Raw, code: str, refused: bool) -> None:
    with FakeServer(always(reply)) as cloud:
        made = minter(Endpoints(amazon=f"http://{cloud.address}/"), MovedClock(), cloud.address)
        failure = minted_or_not(made, AWS, ECR_HOST)
    assert isinstance(failure, NotMinted)
    assert (failure.code, failure.refused) == (code, refused)


def test_retry_after_is_reported() -> None:
    with FakeServer(always(Reply(429, (("Retry-After", "7"),)))) as cloud:
        made = minter(Endpoints(amazon=f"http://{cloud.address}/"), MovedClock(), cloud.address)
        failure = minted_or_not(made, AWS, ECR_HOST)
    assert isinstance(failure, NotMinted)
    assert failure.retry_after == 7


def test_an_unreachable_endpoint_is_unreachable() -> None:
    made = minter(Endpoints(amazon="https://127.0.0.1:1/"), MovedClock())
    failure = minted_or_not(made, AWS, ECR_HOST)
    assert isinstance(failure, NotMinted)
    assert failure.code == "unreachable"


def test_an_endpoint_without_tls_must_be_listed() -> None:
    with FakeServer(always(Reply(200))) as cloud:
        made = minter(Endpoints(amazon=f"http://{cloud.address}/"), MovedClock())
        failure = minted_or_not(made, AWS, ECR_HOST)
        assert cloud.seen == []
    assert isinstance(failure, NotMinted)
    assert failure.code == "blocked_host"
