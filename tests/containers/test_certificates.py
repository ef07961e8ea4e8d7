"""Certificates are renewed, and a name is added, while the servers run: they serve the new ones by themselves."""

import ssl
from collections.abc import Iterator

import pytest
from cryptography import x509

from tests.support.compose import Deployment
from tests.support.timing import waiting

SERVERS = ("gateway", "postgres", "rabbitmq", "vault")
# RabbitMQ looks for new files every two minutes, the others every five seconds.
SECONDS = 300
# Prints the certificate that a server of the network `data` presents.
ASK = """
import socket, ssl, sys
host, port = sys.argv[1], int(sys.argv[2])
context = ssl.create_default_context(cafile="/run/secrets/ca.crt")
connection = socket.create_connection((host, port), 10)
if host == "postgres":
    connection.sendall(bytes((0, 0, 0, 8, 4, 210, 22, 47)))
    assert connection.recv(1) == b"S"
with context.wrap_socket(connection, server_hostname=host) as agreed:
    print(ssl.DER_cert_to_PEM_cert(agreed.getpeercert(True)))
"""
PORTS = {"postgres": 5432, "rabbitmq": 5671, "vault": 8200}


def served(deployment: Deployment, server: str) -> x509.Certificate:
    """The certificate that a server presents to a client."""
    if server == "gateway":
        text = ssl.get_server_certificate(("localhost", deployment.port))
    else:
        text = deployment.inside("relay", "python3", "-c", ASK, server, str(PORTS[server]))
    return x509.load_pem_x509_certificate(text.encode())


@pytest.fixture
def renamed(deployment: Deployment) -> Iterator[None]:
    """`docker compose up` with another name of the gateway."""
    deployment.set("REGCRED_HOST", "regcred.example.com")
    deployment.up()
    yield
    deployment.set("REGCRED_HOST", "localhost")
    deployment.up()


def test_a_new_name_is_in_the_certificate(deployment: Deployment, renamed: None) -> None:
    def names() -> list[str]:
        extension = served(deployment, "gateway").extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
        return extension.value.get_values_for_type(x509.DNSName)

    waiting(lambda: "regcred.example.com" in names(), "the gateway presents the new name")


def test_renewed_certificates_are_served(deployment: Deployment) -> None:
    """A run of `setup` finds no keys, as after an interrupted run, and makes new pairs."""
    before = {server: served(deployment, server).serial_number for server in SERVERS}
    files = [f"/secrets/{server}/tls.key" for server in SERVERS]
    deployment.compose("run", "--rm", "--no-TTY", "--no-deps", "--entrypoint", "rm", "setup", *files)
    deployment.compose("run", "--rm", "--no-TTY", "--no-deps", "setup")
    for server in SERVERS:
        waiting(
            lambda server=server: served(deployment, server).serial_number != before[server],  # type: ignore[misc]
            f"{server} presents the new certificate",
            seconds=SECONDS,
        )
    with deployment.client() as client:
        assert client.get("/readyz").status_code == 200
