"""The client writes hosts and images as the services do, without sharing code with them."""

from hypothesis import example, given
from hypothesis import strategies as st

from regcred.cli.image_name import image_name
from regcred.credential_helper import protocol
from registries.errors import InvalidHost, InvalidReference
from registries.hosts import canonical_host, config_key
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
