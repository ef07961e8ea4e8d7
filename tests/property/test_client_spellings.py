"""The client writes hosts and images as the services do, without sharing code with them."""

from hypothesis import example, given
from hypothesis import strategies as st

from regcred.cli.image_name import image_name
from regcred.credential_helper import protocol
from registries.errors import InvalidHost, InvalidReference
from registries.hosts import canonical_host, config_key, parse_registry_url
from registries.image_reference import ImageReference
from tests.property import test_image_references as images
from tests.property import test_registry_hosts as hosts

ALIASES = st.sampled_from(
    ["docker.io", "index.docker.io", "Registry-1.Docker.io:443", "registry.hub.docker.com"]
)


@given(ALIASES | hosts.NAMES | hosts.ADDRESSES | hosts.NEARLY)
def test_the_helper_spells_a_host_as_docker_configurations_do(text: str) -> None:
    try:
        host = canonical_host(text)  # as the API returns it
    except InvalidHost:
        return
    assert protocol.config_key(host) == config_key(text)


@given(
    st.sampled_from(["", "https://", "http://", "HTTP://"]),
    ALIASES | hosts.NAMES | hosts.ADDRESSES | hosts.NEARLY | st.text("abc.:[]@/1", max_size=8),
    st.sampled_from(["/", ""]) | images.PATHS.map("/{}".format),
)
@example("", "registry", "/acme/shop")
@example("http://", "[::1]", "/acme/shop")
@example("https://", "index.docker.io", "/v1/acme/shop")
def test_the_helper_requests_no_login_of_another_host(scheme: str, host: str, path: str) -> None:
    """A client sends the login to the host that it named."""
    wanted = protocol.wanted(f"{scheme}{host}{path}")
    if wanted is None or "registry_host" in wanted:
        return  # the API reads the complete text as the name of one host
    [text] = wanted.get("images") or [wanted["repository"]]
    try:
        requested = ImageReference.parse(str(text))
    except InvalidReference:
        return  # the API refuses it, and the helper finds nothing
    named, _ = parse_registry_url(f"{scheme}{host.partition('/')[0]}")
    assert requested.registry_host == canonical_host(named)


@given(images.NEARLY | st.builds("{}/{}{}".format, ALIASES | hosts.NAMES, images.PATHS, images.TAGS))
@example("Reg.IO:443/a")
@example("[0:0::1]:80/a:b")
@example("[::1]:443/a")
@example("index.docker.io/nginx")
@example("m\u00fcller.example/a")
def test_the_command_line_parses_images_as_the_api_does(text: str) -> None:
    try:
        wanted = ImageReference.parse(text)
    except InvalidReference:
        return  # the API refuses what the client accepts
    found = image_name(text)
    assert (found.registry_host, found.repository) == (wanted.registry_host, wanted.repository)
    assert found.digest == wanted.digest
    assert found.tag == wanted.tag or (found.tag is None and wanted.tag == "latest")
