"""What the client tests share: a bucket of their own on the live server, and real NetCDF data."""

import json
import os
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from neve.testing.server import LiveServer

ROOT = Path(__file__).parents[2]


@pytest.fixture
def bucket(live_server: LiveServer) -> str:
    """A new, private, empty bucket."""
    name = f"client-{uuid.uuid4().hex[:12]}"
    live_server.client().create_bucket(Bucket=name)
    return name


@pytest.fixture
def publish(live_server: LiveServer) -> Callable[[str], None]:
    """A function that lets everybody read a bucket."""

    def open_to_all(name: str) -> None:
        policy = {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": "*",
                    "Action": ["s3:GetObject", "s3:ListBucket", "s3:GetBucketLocation"],
                    "Resource": [f"arn:aws:s3:::{name}", f"arn:aws:s3:::{name}/*"],
                }
            ],
        }
        live_server.client().put_bucket_policy(Bucket=name, Policy=json.dumps(policy))

    return open_to_all


@pytest.fixture(scope="session")
def netcdf() -> Callable[[str], str]:
    """A function from the name of a file of iris-sample-data to its path."""
    import iris_sample_data

    def path_of(name: str) -> str:
        return os.path.join(iris_sample_data.path, name)

    return path_of


@pytest.fixture
def environment(live_server: LiveServer, tmp_path: Path) -> dict[str, str]:
    """Environment variables for programs that speak S3: the live server's keys, no settings."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": live_server.access_key,
        "AWS_SECRET_ACCESS_KEY": live_server.secret_key,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "S3_ENDPOINT_URL": live_server.endpoint,
    }
