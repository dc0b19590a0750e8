"""Health and metrics of a real server."""

import base64
import hashlib
import hmac
import http.client
import json
import signal
import time
from pathlib import Path

import pytest
from tests.admin.client import Client

from neve.testing.server import ACCESS_KEY, SECRET_KEY, LiveServer, wait_until


def ask(
    server: LiveServer, path: str, method: str = "GET", authorization: str = ""
) -> tuple[int, str]:
    connection = http.client.HTTPConnection(server.address, timeout=30)
    headers = {"Authorization": authorization} if authorization else {}
    connection.request(method, path, headers=headers)
    with connection.getresponse() as answer:
        body = answer.read().decode()
    connection.close()
    return answer.status, body


def basic(access: str = ACCESS_KEY, secret: str = SECRET_KEY) -> str:
    return "Basic " + base64.b64encode(f"{access}:{secret}".encode()).decode()


def bearer(claims: dict[str, object], secret: str = SECRET_KEY, algorithm: str = "HS512") -> str:
    """Return a token as `mc admin prometheus generate` makes it."""

    def encode(raw: bytes) -> str:
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    head = encode(json.dumps({"alg": algorithm, "typ": "JWT"}).encode())
    signed = f"{head}.{encode(json.dumps(claims).encode())}"
    digest = hmac.digest(secret.encode(), signed.encode(), hashlib.sha512)
    return f"Bearer {signed}.{encode(digest)}"


def metrics(server: LiveServer) -> dict[str, float]:
    status, text = ask(server, "/neve/metrics", authorization=basic())
    assert status == 200
    rows = [line.rpartition(" ") for line in text.splitlines() if line[:1] not in ("#", "")]
    return {name: float(value) for name, _, value in rows}


@pytest.mark.parametrize(
    "path",
    [
        "/minio/health/live",
        "/minio/health/ready",
        "/minio/health/cluster",
        "/minio/health/cluster/read",
        "/neve/health/live",
        "/neve/health/ready",
    ],
)
def test_health_paths_answer_without_keys(live_server: LiveServer, path: str) -> None:
    assert ask(live_server, path) == (200, "")
    assert ask(live_server, path, "HEAD") == (200, "")
    assert ask(live_server, path, "PUT")[0] == 405


def test_other_paths_below_belong_to_s3(live_server: LiveServer) -> None:
    status, text = ask(live_server, "/minio/health/other")
    assert status in (403, 404)
    assert "<Code>" in text


@pytest.mark.parametrize(
    "path",
    [
        "/neve/metrics",
        "/minio/v2/metrics/cluster",
        "/minio/v2/metrics/node",
        "/minio/v2/metrics/bucket",
    ],
)
def test_metrics_need_roots_keys(live_server: LiveServer, path: str) -> None:
    assert ask(live_server, path)[0] == 401
    assert ask(live_server, path, authorization=basic(secret="wrong-secret"))[0] == 401
    assert ask(live_server, path, authorization=basic(access="other"))[0] == 401
    assert ask(live_server, path, authorization="Basic !!!")[0] == 401
    assert ask(live_server, path, authorization=basic())[0] == 200


def test_token_of_mc_opens_the_metrics(live_server: LiveServer) -> None:
    good = {"exp": int(time.time()) + 3600, "sub": ACCESS_KEY, "iss": "prometheus"}
    path = "/minio/v2/metrics/cluster"
    assert ask(live_server, path, authorization=bearer(good))[0] == 200
    for token in (
        bearer(good, secret="another-secret"),
        bearer(good, algorithm="none"),
        bearer(good | {"sub": "somebody"}),
        bearer(good | {"exp": int(time.time()) - 1}),
        bearer(good)[:-8],
        "Bearer x.y.z",
        "Bearer",
        "Bearer " + "a" * 9000,
    ):
        assert ask(live_server, path, authorization=token)[0] == 401


@pytest.mark.parametrize(
    ("flags", "environment"),
    [(["--metrics-public"], {}), ([], {"MINIO_PROMETHEUS_AUTH_TYPE": "public"})],
)
def test_metrics_can_be_made_public(
    tmp_path: Path, flags: list[str], environment: dict[str, str]
) -> None:
    with LiveServer(tmp_path / "data", *flags, workers=1, environment=environment) as server:
        assert ask(server, "/neve/metrics")[0] == 200


def test_metrics_tell_of_requests_on_all_workers(fresh_server: LiveServer) -> None:
    client = fresh_server.client()
    client.create_bucket(Bucket="counted")
    for number in range(10):
        # A client each: connections spread over the workers.
        each = fresh_server.client()
        each.put_object(Bucket="counted", Key=f"k{number}", Body=bytes(100))
        each.get_object(Bucket="counted", Key=f"k{number}")["Body"].read()
        each.close()
    with pytest.raises(client.exceptions.NoSuchKey):
        client.get_object(Bucket="counted", Key="absent")
    found = metrics(fresh_server)
    name = 'neve_requests_total{{operation="{}",status="{}"}}'
    assert found[name.format("PutObject", "2xx")] == 10
    assert found[name.format("GetObject", "2xx")] == 10
    assert found[name.format("GetObject", "4xx")] == 1
    assert found[name.format("CreateBucket", "2xx")] == 1
    assert found['neve_errors_total{code="NoSuchKey"}'] == 1
    assert found['neve_request_seconds_count{class="read"}'] == 11
    assert found['neve_request_seconds_count{class="write"}'] == 10
    assert found["neve_received_bytes_total"] >= 1000
    assert found["neve_sent_bytes_total"] >= 1000
    assert found['neve_bucket_objects{bucket="counted"}'] == 10
    assert found['neve_bucket_bytes{bucket="counted"}'] == 1000
    assert found["neve_commit_writes_sum"] >= 11
    assert found["neve_commit_seconds_count"] >= 2
    assert found["neve_disk_free_bytes"] > 0
    assert found["neve_start_time_seconds"] == pytest.approx(time.time(), abs=300)


def test_metrics_tell_of_the_steward_and_of_restarts(fresh_server: LiveServer) -> None:
    def job_ran(name: str) -> bool:
        return metrics(fresh_server).get(f'neve_job_runs_total{{job="{name}"}}', 0) > 0

    wait_until(lambda: job_ran("checkpoint") and job_ran("report") and job_ran("collect"))
    found = metrics(fresh_server)
    assert found['neve_job_failures_total{job="checkpoint"}'] == 0
    assert found['neve_process_restarts_total{process="steward"}'] == 0
    assert found["neve_scrub_findings"] == 0
    assert "neve_wal_bytes" in found


def test_killed_worker_shows_as_a_restart(fresh_server: LiveServer) -> None:
    import os

    victim = fresh_server.children()[-1]
    before = metrics(fresh_server)
    os.kill(victim, signal.SIGKILL)
    names = [name for name in before if name.startswith("neve_process_restarts_total")]
    assert len(names) == 3

    def restarts() -> float:
        try:
            found = metrics(fresh_server)
        except (ConnectionError, http.client.HTTPException):
            return 0  # The connection was waiting at the worker that was killed.
        return sum(found[name] for name in names)

    wait_until(lambda: restarts() == 1)


def test_users_scrape_when_a_policy_lets_them(live_server: LiveServer) -> None:
    root = Client(live_server)
    document = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": ["admin:Prometheus"]}],
    }
    assert root("PUT", "add-canned-policy?name=scrape", document).status == 200
    for name, policy, status in (
        ("scraper", "scrape", 200),
        ("not-a-scraper", "readwrite", 401),
        ("diagnosing", "diagnostics", 200),
    ):
        root.minio().user_add(name, f"{name}-secret")
        root.minio().policy_set(policy, user=name)
        for authorization in (
            basic(name, f"{name}-secret"),
            bearer({"sub": name}, secret=f"{name}-secret"),
        ):
            found = ask(live_server, "/neve/metrics", authorization=authorization)[0]
            assert found == status, (name, authorization)
        assert ask(live_server, "/neve/metrics", authorization=basic(name, "wrong"))[0] == 401
        # Whoever knows root's secret proves nothing about another name.
        token = bearer({"sub": name})
        assert ask(live_server, "/neve/metrics", authorization=token)[0] == 401
    root.minio().user_disable("scraper")
    answer = ask(live_server, "/neve/metrics", authorization=basic("scraper", "scraper-secret"))
    assert answer[0] == 401


def test_a_key_that_looks_like_an_admin_call_is_a_key_where_hosts_name_buckets(
    tmp_path: Path,
) -> None:
    with LiveServer(tmp_path / "data", "--domain", "s3.example.org", workers=1) as server:
        server.client().create_bucket(Bucket="named")
        host = {"Host": "named.s3.example.org"}
        connection = http.client.HTTPConnection(server.address, timeout=30)
        connection.request("GET", "/minio/admin/v3/info", headers=host)
        with connection.getresponse() as answer:
            assert answer.headers["content-type"] == "application/xml"
        connection.close()
