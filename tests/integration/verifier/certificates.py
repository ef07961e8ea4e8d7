"""Certificates of these tests: an authority, and certificates that it signs."""

import ssl
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from chassis.runtime.clock import now

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its key; files for servers are written into a folder."""

    certificate: x509.Certificate
    key: Key

    @classmethod
    def made(
        cls,
        name: str,
        *,
        issuer: Self | None = None,
        days: int = 1,
        authority: bool = False,
        rsa_key: bool = False,
    ) -> "Certificate":
        """For a host name or an address; signed by `issuer`, else by itself. Negative `days`: expired."""
        key: Key = (
            rsa.generate_private_key(65537, 2048) if rsa_key else ec.generate_private_key(ec.SECP256R1())
        )
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        start = now() - timedelta(days=max(0, -days) + 1)
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer.certificate.subject if issuer else subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(now() + timedelta(days=days))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([_general_name(name)]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    (issuer.key if issuer else key).public_key()
                ),
                critical=False,
            )
        )
        if authority:
            builder = builder.add_extension(_SIGNS, critical=True)
        return cls(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)

    def pem(self) -> str:
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    def files(self, folder: Path) -> tuple[Path, Path]:
        """Certificate and key as files."""
        certificate, key = folder / "certificate.pem", folder / "key.pem"
        certificate.write_text(self.pem())
        key.write_bytes(
            self.key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        )
        return certificate, key

    def served(self, folder: Path) -> ssl.SSLContext:
        """The context of a server that shows it."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*self.files(folder))
        return context

    def trusted(self) -> ssl.SSLContext:
        """The context of a client that trusts this authority, as the verifier's bootstrap makes it."""
        context = ssl.create_default_context()
        context.load_verify_locations(cadata=self.pem())
        return context


_SIGNS = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)
