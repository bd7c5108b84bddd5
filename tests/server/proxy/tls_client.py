"""A client that speaks TLS to a proxy by its name, and the certificate that it trusts."""

import datetime
import http.client
import ipaddress
import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.server.served import PATIENCE_SECONDS, Client

NAME = "cameras.example"
"""What the proxy goes by in the documents."""


@dataclass(frozen=True)
class TlsClient(Client):
    """Asks through the proxy, whose certificate it checks.

    Attributes:
        context: trusts the proxy's certificate and no other.
    """

    context: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    @property
    def netloc(self) -> str:
        return f"{NAME}:{self.port}"

    @property
    def origin(self) -> str:
        return f"https://{self.netloc}"

    def connect(self) -> http.client.HTTPConnection:
        connection = http.client.HTTPConnection(NAME, self.port, timeout=PATIENCE_SECONDS)
        plain = socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_SECONDS)
        connection.sock = self.context.wrap_socket(plain, server_hostname=NAME)
        return connection


def write_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for the name that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, NAME)])
    now = datetime.datetime.now(datetime.UTC)
    names = x509.SubjectAlternativeName([x509.DNSName(NAME), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(names, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (folder / "certificate.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(key.private_bytes(pem, form, serialization.NoEncryption()))
    return folder / "certificate.pem", folder / "key.pem"
