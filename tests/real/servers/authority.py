"""A private certificate authority and the certificates a test needs: good, expired, for another host, self-signed,
for a client. All files are created in each test run. Keys are P-256 unless a test requests another type."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)


@dataclass
class Certificate:
    """Paths of a PEM certificate chain and its PKCS#8 key."""

    cert: Path
    key: Path


class Authority:
    """Issues certificates into one folder; `ca` is the path of its own certificate."""

    def __init__(self, folder, name="private test CA", parent=None):
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._name = _name(name)
        self._key = ec.generate_private_key(ec.SECP256R1())
        by = parent or self
        self._cert = _builder(self._name, by._name, self._key.public_key(), -DAY, 30 * DAY).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True).add_extension(
            x509.KeyUsage(False, False, False, False, False, True, True, False, False), critical=True).sign(
            by._key, hashes.SHA256())
        self.ca = self.folder / "ca.pem"
        self.ca.write_bytes(self._cert.public_bytes(serialization.Encoding.PEM))

    def server(self, file, *hosts, begins=-DAY, ends=20 * DAY, digest=hashes.SHA256()):
        """Issues a server certificate for names and addresses, signed with this digest."""
        return self._issue(file, hosts, ExtendedKeyUsageOID.SERVER_AUTH, begins, ends, digest)

    def client(self, file, name, ends=20 * DAY, key=None):
        """Issues a client certificate."""
        return self._issue(file, (name,), ExtendedKeyUsageOID.CLIENT_AUTH, -DAY, ends, key=key)

    def certify(self, file, name, public_key):
        """Issues a client certificate for a key that is stored elsewhere, and returns its path."""
        path = self.folder / f"{file}.crt"
        path.write_bytes(_sign(self._name, self._key, public_key, (name,), ExtendedKeyUsageOID.CLIENT_AUTH).public_bytes(
            serialization.Encoding.PEM))
        return path

    def _issue(self, file, hosts, use, begins, ends, digest=hashes.SHA256(), key=None):
        key = key or ec.generate_private_key(ec.SECP256R1())
        cert = _sign(self._name, self._key, key.public_key(), hosts, use, begins, ends, digest)
        return _write(self.folder / file, cert, key)


def self_signed(folder, *hosts):
    """Creates a server certificate that no authority issued."""
    key = ec.generate_private_key(ec.SECP256R1())
    cert = _builder(_name(hosts[0]), _name(hosts[0]), key.public_key(), -DAY, 20 * DAY).add_extension(
        x509.SubjectAlternativeName([_general(host) for host in hosts]), critical=False).sign(key, hashes.SHA256())
    return _write(Path(folder) / "self-signed", cert, key)


def _name(text):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _general(host):
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _sign(issuer, issuer_key, public_key, hosts, use, begins=-DAY, ends=20 * DAY, digest=hashes.SHA256()):
    return _builder(_name(hosts[0]), issuer, public_key, begins, ends).add_extension(
        x509.SubjectAlternativeName([_general(host) for host in hosts]), critical=False).add_extension(
        x509.ExtendedKeyUsage([use]), critical=False).add_extension(
        x509.BasicConstraints(ca=False, path_length=None), critical=True).sign(issuer_key, digest)


def _builder(subject, issuer, public_key, begins, ends):
    now = datetime.datetime.now(datetime.timezone.utc)
    return x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public_key) \
        .serial_number(x509.random_serial_number()).not_valid_before(now + begins).not_valid_after(now + ends)


def _write(stem, cert, key):
    made = Certificate(stem.with_suffix(".crt"), stem.with_suffix(".key"))
    made.cert.write_bytes(cert.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                           serialization.NoEncryption()))
    made.key.chmod(0o600)
    return made
