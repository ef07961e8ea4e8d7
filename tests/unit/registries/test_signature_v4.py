"""Signatures match those of AWS's own library for every key, region, body and endpoint."""

from datetime import UTC, datetime

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from chassis.secret import Secret
from registries.logins.cloud_keys import AwsKeys
from registries.signature_v4 import signed

_WORD = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
_HEADERS = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "Spencer.GetAuthorizationToken"}


@given(
    secret=_WORD,
    token=st.none() | _WORD,
    region=st.sampled_from(["us-east-1", "eu-west-1", "cn-north-1"]),
    service=st.sampled_from(["ecr", "ecr-public"]),
    url=st.sampled_from(
        [
            "https://api.ecr.eu-west-1.amazonaws.com/",
            "https://vpce-1.example.com:8443/",
            "https://h.example/a b/c",
        ]
    ),
    body=st.binary(max_size=100),
)
def test_signatures_match_botocore(
    *, secret: str, token: str | None, region: str, service: str, url: str, body: bytes
) -> None:
    theirs = AWSRequest(method="POST", url=url, data=body, headers=_HEADERS)
    SigV4Auth(Credentials("AKIAEXAMPLE", secret, token), service, region).add_auth(theirs)
    at = datetime.strptime(theirs.headers["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    keys = AwsKeys(
        access_key_id="AKIAEXAMPLE",
        secret_access_key=Secret(secret),
        session_token=None if token is None else Secret(token),
    )
    ours = signed(url, body, _HEADERS, keys=keys, region=region, service=service, at=at)
    assert ours["Authorization"] == theirs.headers["Authorization"]


def test_signed_headers_are_those_that_are_sent() -> None:
    keys = AwsKeys(access_key_id="AKIAEXAMPLE", secret_access_key=Secret("s"))
    at = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    url = "https://api.ecr.eu-west-1.amazonaws.com/"
    sent = signed(url, b"{}", _HEADERS, keys=keys, region="eu-west-1", service="ecr", at=at)
    assert sent["Host"] == "api.ecr.eu-west-1.amazonaws.com"
    assert sent["X-Amz-Date"] == "20260102T030405Z"
    assert "X-Amz-Security-Token" not in sent
    assert "SignedHeaders=content-type;host;x-amz-date;x-amz-target," in sent["Authorization"]
