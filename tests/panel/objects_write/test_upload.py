"""What the scripts of an upload ask the panel for, and the form for browsers without scripts."""

import hashlib
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from tests.panel.conftest import Shown, Visitor

from neve.testing.server import LiveServer

PART = 5 << 20


def call(visitor: Visitor, path: str, **fields: Any) -> tuple[int, dict[str, Any]]:
    visitor.get("/buckets")  # for the token
    headers = {
        "content-type": "application/json",
        "accept": "application/json",
        "x-csrf": visitor.csrf,
        "origin": visitor.server.panel,
    }
    answer = visitor.request("POST", path, json.dumps(fields).encode(), headers)
    return answer.status, json.loads(answer.text)


def put(url: str, body: bytes, **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(url, body, named, method="PUT")
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            status: int = answer.status
            return status
    except urllib.error.HTTPError as error:
        return error.code


def multipart(
    visitor: Visitor, bucket: str, fields: dict[str, str], file: tuple[str, bytes] | None
) -> Shown:
    visitor.get(f"/browse/{bucket}")
    parts = [
        f'--B\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in ({"csrf": visitor.csrf, "bucket": bucket} | fields).items()
    ]
    if file:
        head = f'--B\r\nContent-Disposition: form-data; name="file"; filename="{file[0]}"\r\n'
        parts.append(head.encode() + b"Content-Type: text/x-test\r\n\r\n" + file[1] + b"\r\n")
    headers = {"content-type": "multipart/form-data; boundary=B", "origin": visitor.server.panel}
    answer = visitor.request("POST", "/upload/form", b"".join(parts) + b"--B--\r\n", headers)
    return visitor.get(answer.headers["location"]) if answer.status == 303 else answer


def test_signed_addresses_are_good_for_their_key_alone(
    administrator: Visitor, server: LiveServer, bucket: str
) -> None:
    client = server.client()
    client.put_object(Bucket=bucket, Key="there", Body=b"x")
    keys = ["a b&\n%é.txt", "there"]
    status, found = call(administrator, "/upload/sign", bucket=bucket, keys=keys)
    assert status == 200
    assert found["taken"] == ["", hashlib.md5(b"x").hexdigest()]
    assert server.secret_key not in json.dumps(found)
    assert put(found["urls"][0], b"new") == 200
    assert client.get_object(Bucket=bucket, Key=keys[0])["Body"].read() == b"new"
    assert put(found["urls"][0].replace("a%20b", "other"), b"new") == 403
    assert put(found["urls"][1], b"new", If_None_Match="*") == 412
    _, over = call(administrator, "/upload/sign", bucket=bucket, keys=keys, overwrite=True)
    assert over["taken"] == ["", ""]


def test_large_file_is_begun_sent_and_completed_once(
    administrator: Visitor, server: LiveServer, bucket: str
) -> None:
    client = server.client()
    about = {"bucket": bucket, "key": "d/grand"}
    _, begun = call(administrator, "/upload/begin", **about, type="application/x-netcdf")
    about["upload"] = begun["upload"]
    bodies = [b"1" * PART, b"2" * 3]
    _, signed = call(administrator, "/upload/parts", **about, first=1, last=2)
    assert [put(url, body) for url, body in zip(signed["urls"], bodies, strict=True)] == [200, 200]
    assert "Contents" not in client.list_objects_v2(Bucket=bucket)
    etags = [hashlib.md5(body).hexdigest() for body in bodies]
    for _ in range(2):  # the answer to the first may have been lost
        assert call(administrator, "/upload/complete", **about, etags=etags, overwrite=True) == (
            200,
            {"exists": False},
        )
    found = client.get_object(Bucket=bucket, Key="d/grand")
    assert found["Body"].read() == b"".join(bodies)
    assert found["ContentType"] == "application/x-netcdf"
    assert call(administrator, "/upload/begin", **about) == (200, {"exists": True})


def test_what_came_meanwhile_is_not_overwritten_and_an_upload_is_aborted(
    administrator: Visitor, server: LiveServer, bucket: str
) -> None:
    client = server.client()
    about = {"bucket": bucket, "key": "k"}
    about["upload"] = call(administrator, "/upload/begin", **about)[1]["upload"]
    _, signed = call(administrator, "/upload/parts", **about, first=1, last=1)
    put(signed["urls"][0], b"mine")
    client.put_object(Bucket=bucket, Key="k", Body=b"theirs")
    etags = [hashlib.md5(b"mine").hexdigest()]
    assert call(administrator, "/upload/complete", **about, etags=etags) == (200, {"exists": True})
    assert client.get_object(Bucket=bucket, Key="k")["Body"].read() == b"theirs"
    assert call(administrator, "/upload/abort", **about) == (200, {})
    assert "Uploads" not in client.list_multipart_uploads(Bucket=bucket)
    assert call(administrator, "/upload/abort", **about) == (200, {})


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("sign", {}),
        ("sign", {"keys": "a"}),
        ("sign", {"keys": ["a", 1]}),
        ("sign", {"keys": ["a"] * 101}),
        ("begin", {}),
        ("parts", {"key": "a", "upload": "u", "first": 1, "last": 101}),
        ("parts", {"key": "a", "upload": "u", "first": 0, "last": 1}),
        ("parts", {"key": "a", "upload": "u", "first": 9950, "last": 10_001}),
        ("complete", {"key": "a", "upload": "u", "etags": ["<x/>"]}),
    ],
)
def test_what_is_no_upload_is_refused(
    administrator: Visitor, bucket: str, path: str, fields: dict[str, Any]
) -> None:
    status, found = call(administrator, f"/upload/{path}", bucket=bucket, **fields)
    assert (status, found["error"]) == (400, "This is not how an upload is made.")


@pytest.mark.parametrize("bucket", ["", "minio/admin/v3", "..", "a/b"])
def test_nothing_but_buckets_is_signed_for(administrator: Visitor, bucket: str) -> None:
    status, found = call(administrator, "/upload/sign", bucket=bucket, keys=["add-user"])
    assert (status, found) == (404, {"error": "This bucket does not exist."})


def test_scripts_of_other_sites_sign_nothing(administrator: Visitor, bucket: str) -> None:
    administrator.get("/buckets")
    headers = {"content-type": "application/json", "accept": "application/json"}
    body = json.dumps({"bucket": bucket, "keys": ["a"]}).encode()
    for more in (
        {"origin": administrator.server.panel},
        {"x-csrf": administrator.csrf, "origin": "http://evil.example"},
        {"x-csrf": "guessed", "origin": administrator.server.panel},
    ):
        assert administrator.request("POST", "/upload/sign", body, headers | more).status == 403


def test_reader_is_offered_no_upload_and_refused(
    user: Callable[..., Visitor], server: LiveServer, bucket: str
) -> None:
    server.client().put_object(Bucket=bucket, Key="a", Body=b"x")
    reader = user("lecteur", "readonly")
    assert 'id="upload"' not in reader.get(f"/browse/{bucket}").text
    status, found = call(reader, "/upload/begin", bucket=bucket, key="b")
    assert (status, found["error"]) == (403, "Your policies do not allow this.")
    _, signed = call(reader, "/upload/sign", bucket=bucket, keys=["b"])
    assert put(signed["urls"][0], b"x") == 403


def test_form_uploads_a_file_without_scripts(
    administrator: Visitor, server: LiveServer, bucket: str
) -> None:
    client = server.client()
    body = b"0123456789" * 300_000
    shown = multipart(administrator, bucket, {"prefix": "d/"}, ("..\\x\\né.bin", body))
    assert "né.bin is uploaded." in shown.words
    found = client.get_object(Bucket=bucket, Key="d/né.bin")
    assert (found["Body"].read(), found["ContentType"]) == (body, "text/x-test")
    again = multipart(administrator, bucket, {"prefix": "d/"}, ("né.bin", b"other"))
    assert "né.bin exists already; nothing was done." in again.words
    assert client.head_object(Bucket=bucket, Key="d/né.bin")["ContentLength"] == len(body)
    none = multipart(administrator, bucket, {"prefix": "d/"}, None)
    assert "Choose a file first." in none.words


def test_form_takes_no_more_than_it_says(administrator: Visitor, bucket: str) -> None:
    headers = {
        "content-type": "multipart/form-data; boundary=B",
        "origin": administrator.server.panel,
        "content-length": str(65 << 20),
    }
    assert administrator.request("POST", "/upload/form", b"--B", headers).status == 413
