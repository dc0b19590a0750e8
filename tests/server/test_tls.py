"""HTTPS end to end, with certificates that are replaced while the server runs."""

import datetime
import ipaddress
import signal
import socket
import ssl
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from botocore.exceptions import SSLError
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from neve.testing.server import LiveServer, wait_until


def write_certificate(folder: Path) -> int:
    """Write cert.pem and key.pem for 127.0.0.1; the serial number."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "neve test")])
    now = datetime.datetime.now(datetime.UTC)
    serial = x509.random_serial_number()
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]),
            critical=False,
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
    (folder / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return serial


def served_serial(server: LiveServer) -> int:
    host, port = server.address.split(":")
    pem = ssl.get_server_certificate((host, int(port)), timeout=30)
    return x509.load_pem_x509_certificate(pem.encode()).serial_number


def panel_serial(server: LiveServer) -> int:
    parts = urlsplit(server.panel)
    assert parts.scheme == "https"
    pem = ssl.get_server_certificate((parts.hostname or "", parts.port or 0), timeout=30)
    return x509.load_pem_x509_certificate(pem.encode()).serial_number


@pytest.fixture
def tls_server(tmp_path: Path):
    write_certificate(tmp_path)
    files = ("--tls-cert", str(tmp_path / "cert.pem"), "--tls-key", str(tmp_path / "key.pem"))
    with LiveServer(tmp_path / "data", *files) as server:
        yield server


def test_client_that_trusts_the_certificate_works(tls_server: LiveServer, tmp_path: Path) -> None:
    assert tls_server.endpoint.startswith("https://")
    client = tls_server.client(verify=str(tmp_path / "cert.pem"))
    client.create_bucket(Bucket="tls")
    data = bytes(range(256)) * 40_000
    client.put_object(Bucket="tls", Key="large", Body=data)
    client.put_object(Bucket="tls", Key="small", Body=b"small")
    assert client.get_object(Bucket="tls", Key="large")["Body"].read() == data
    part = client.get_object(Bucket="tls", Key="large", Range="bytes=1000-1999")["Body"].read()
    assert part == data[1000:2000]
    assert client.get_object(Bucket="tls", Key="small")["Body"].read() == b"small"


def test_client_that_does_not_trust_it_refuses(tls_server: LiveServer) -> None:
    with pytest.raises(SSLError):
        tls_server.client().list_buckets()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_old_protocol_versions_are_refused(tls_server: LiveServer) -> None:
    host, port = tls_server.address.split(":")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection((host, int(port)), 30) as plain:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            context.wrap_socket(plain)


def test_new_certificate_is_served_after_hup_and_a_broken_one_is_not(
    tls_server: LiveServer, tmp_path: Path
) -> None:
    first = served_serial(tls_server)
    second = write_certificate(tmp_path)
    assert served_serial(tls_server) == first
    tls_server.signal(signal.SIGHUP)
    # Each worker loads it for itself: ask until both have surely been met.
    wait_until(lambda: all(served_serial(tls_server) == second for _ in range(16)))
    wait_until(lambda: panel_serial(tls_server) == second)
    (tmp_path / "cert.pem").write_text("broken")
    tls_server.signal(signal.SIGHUP)
    # The supervisor, two workers and the steward, which serves the panel.
    wait_until(lambda: tls_server.output().count("The old certificate stays in service") == 4)
    assert {served_serial(tls_server) for _ in range(16)} == {second}
    assert panel_serial(tls_server) == second


def test_worker_restarted_after_a_renewal_serves_the_new_certificate(
    tls_server: LiveServer, tmp_path: Path
) -> None:
    import os

    second = write_certificate(tmp_path)
    tls_server.signal(signal.SIGHUP)
    wait_until(lambda: all(served_serial(tls_server) == second for _ in range(16)))
    for pid in tls_server.children():
        os.kill(pid, signal.SIGKILL)

    def serves() -> bool:
        try:
            return all(served_serial(tls_server) == second for _ in range(16))
        except OSError:
            return False

    wait_until(serves)


def test_plain_request_to_the_tls_port_does_no_harm(tls_server: LiveServer, tmp_path: Path) -> None:
    host, port = tls_server.address.split(":")
    with socket.create_connection((host, int(port)), 30) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200" not in plain.recv(1000)
    tls_server.client(verify=str(tmp_path / "cert.pem")).list_buckets()
