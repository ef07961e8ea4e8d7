"""Endpoints that create logins. Amazon's endpoints match its own library for every partition."""

import pytest
from botocore.config import Config
from botocore.session import Session

from registries.providers import acr
from registries.providers.ecr import endpoint_of

REGISTRIES = [
    ("us-east-1", "amazonaws.com"),
    ("us-gov-west-1", "amazonaws.com"),
    ("cn-north-1", "amazonaws.com.cn"),
    ("eusc-de-east-1", "amazonaws.eu"),
    ("us-iso-east-1", "c2s.ic.gov"),
    ("us-isob-east-1", "sc2s.sgov.gov"),
    ("eu-isoe-west-1", "cloud.adc-e.uk"),
    ("us-isof-south-1", "csp.hci.ic.gov"),
]


@pytest.fixture(scope="module")
def botocore() -> Session:
    """One session for all tests, because it reads its endpoints once."""
    return Session()


@pytest.mark.parametrize(("region", "domain"), REGISTRIES)
@pytest.mark.parametrize("fips", [False, True])
def test_endpoints_of_private_registries_match_botocore(
    botocore: Session, region: str, domain: str, fips: bool
) -> None:
    host = f"123456789012.dkr.ecr{'-fips' if fips else ''}.{region}.{domain}"
    client = botocore.create_client(
        "ecr",
        region_name=region,
        aws_access_key_id="x",
        aws_secret_access_key="y",
        config=Config(use_fips_endpoint=fips),
    )
    endpoint = endpoint_of(host)
    assert endpoint.url == client.meta.endpoint_url + "/"
    assert (endpoint.region, endpoint.service) == (region, client.meta.service_model.signing_name)
    assert endpoint.target == client.meta.service_model.metadata["targetPrefix"] + ".GetAuthorizationToken"


def test_dual_stack_registries_use_the_endpoint_of_their_region() -> None:
    assert (
        endpoint_of("123456789012.dkr-ecr.eu-west-1.on.aws").url == "https://api.ecr.eu-west-1.amazonaws.com/"
    )
    assert (
        endpoint_of("123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn").url
        == "https://api.ecr.cn-north-1.amazonaws.com.cn/"
    )


def test_the_public_registry_has_one_region() -> None:
    endpoint = endpoint_of("public.ecr.aws")
    assert endpoint.url == "https://api.ecr-public.us-east-1.amazonaws.com/"
    assert (endpoint.region, endpoint.service) == ("us-east-1", "ecr-public")


def test_an_operators_endpoint_contains_the_region() -> None:
    host = "123456789012.dkr.ecr.eu-west-1.amazonaws.com"
    assert endpoint_of(host, "https://{region}.vpce.example/").url == "https://eu-west-1.vpce.example/"


def test_another_host_has_no_endpoint() -> None:
    with pytest.raises(ValueError, match="not a host of Amazon ECR"):
        endpoint_of("ghcr.io")


@pytest.mark.parametrize(
    ("host", "login"),
    [
        ("acme.azurecr.io", "login.microsoftonline.com"),
        ("acme.westeurope.geo.azurecr.io", "login.microsoftonline.com"),
        ("acme.azurecr.cn", "login.chinacloudapi.cn"),
        ("acme.azurecr.us", "login.microsoftonline.us"),
    ],
)
def test_each_azure_cloud_has_its_login_url(host: str, login: str) -> None:
    assert acr.login_url(host, "acme.example") == f"https://{login}/acme.example/oauth2/v2.0/token"


def test_an_operators_login_url_contains_the_tenant() -> None:
    assert (
        acr.login_url("acme.azurecr.io", "t", "https://entra.example/")
        == "https://entra.example/t/oauth2/v2.0/token"
    )
