"""The AWS command line, from an environment of its own (`make environments`)."""

import hashlib
import json
import os
import subprocess
from pathlib import Path

import pytest

from neve.testing.server import LiveServer

from .conftest import ROOT

AWS = ROOT / ".venv-awscli" / "bin" / "aws"

pytestmark = pytest.mark.skipif(not AWS.exists(), reason="make environments makes .venv-awscli")


@pytest.fixture
def aws(live_server: LiveServer, environment: dict[str, str]):
    def run(*arguments: object) -> str:
        command = [AWS, "--endpoint-url", live_server.endpoint, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=100, env=environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_copy_list_sync_remove(aws, bucket: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep").mkdir(parents=True)
    (source / "small.txt").write_text("small")
    (source / "deep" / "large.nc").write_bytes(bytes(range(256)) * 50_000)
    # `sync` compares times, and servers tell whole seconds: a file must be older than its second.
    for path in (source / "small.txt", source / "deep" / "large.nc"):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    aws("s3", "cp", "--recursive", source, f"s3://{bucket}/data/")
    listing = aws("s3", "ls", "--recursive", f"s3://{bucket}/")
    assert "data/deep/large.nc" in listing
    assert "12800000" in listing
    target = tmp_path / "target"
    aws("s3", "sync", f"s3://{bucket}/data/", target)
    for name in ("small.txt", "deep/large.nc"):
        assert (target / name).read_bytes() == (source / name).read_bytes()
    assert aws("s3", "sync", source, f"s3://{bucket}/data/") == ""
    aws("s3", "rm", "--recursive", f"s3://{bucket}/data/")
    assert aws("s3", "ls", f"s3://{bucket}/") == ""
    aws("s3", "rb", f"s3://{bucket}")


def test_s3api(aws, bucket: str, tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(b"0123456789" * 1000)
    put = json.loads(
        aws(
            "s3api", "put-object", "--bucket", bucket, "--key", "k", "--body", body,
            "--checksum-algorithm", "SHA256", "--metadata", "a=1",
        )
    )  # fmt: skip
    assert put["ETag"].strip('"') == hashlib.md5(body.read_bytes()).hexdigest()
    head = json.loads(aws("s3api", "head-object", "--bucket", bucket, "--key", "k"))
    assert head["ContentLength"] == 10_000
    assert head["Metadata"] == {"a": "1"}
    out = tmp_path / "out"
    aws("s3api", "get-object", "--bucket", bucket, "--key", "k", "--range", "bytes=10-19", out)
    assert out.read_bytes() == b"0123456789"
    attributes = json.loads(
        aws(
            "s3api", "get-object-attributes", "--bucket", bucket, "--key", "k",
            "--object-attributes", "ObjectSize", "Checksum",
        )
    )  # fmt: skip
    assert attributes["ObjectSize"] == 10_000
    assert attributes["Checksum"]["ChecksumSHA256"] == put["ChecksumSHA256"]


def test_presigned_url_and_anonymous(
    aws, bucket: str, tmp_path: Path, publish, environment: dict[str, str]
) -> None:
    body = tmp_path / "body"
    body.write_text("hello")
    aws("s3", "cp", body, f"s3://{bucket}/k")
    config = Path(environment["HOME"], ".aws", "config")
    config.parent.mkdir()
    # Its default in us-east-1 is the signature of before 2014.
    for version, name in (("", "AWSAccessKeyId="), ("s3v4", "X-Amz-Credential=")):
        config.write_text(f"[default]\ns3 =\n  signature_version = {version}\n" if version else "")
        url = aws("s3", "presign", f"s3://{bucket}/k").strip()
        assert name in url
        done = subprocess.run(["curl", "-sf", url], capture_output=True, text=True, timeout=60)
        assert done.stdout == "hello"
    publish(bucket)
    assert aws("--no-sign-request", "s3", "cp", f"s3://{bucket}/k", "-") == "hello"
